"""The journal's functions make rare ledger bodies only when they are needed, and settle one effect and begin the next at once."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Replace the journal's functions."""
    run_scripts("0002_journal")


def downgrade() -> None:
    """Bring the first functions back."""
    run_scripts("0002_down")
