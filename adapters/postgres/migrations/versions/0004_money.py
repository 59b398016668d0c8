"""Reserved for money."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0004_money")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0004_down")
