"""Adds how approvals ask several groups, over time."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0007_people")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0007_down")
