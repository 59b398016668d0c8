"""Adds what sagas show."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0014_sagas")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0014_down")
