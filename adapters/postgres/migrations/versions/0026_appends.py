"""Makes appends that share a statement cost the database less; what they write stays the same."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Replace what appends."""
    run_scripts("0026_appends")


def downgrade() -> None:
    """Bring back what was replaced."""
    run_scripts("0026_down", "0006_facts")
