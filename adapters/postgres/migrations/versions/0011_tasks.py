"""Adds human tasks beyond doubts."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0011_tasks")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0011_down")
