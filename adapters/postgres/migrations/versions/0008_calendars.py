"""Adds calendars, substitutes and the inbox."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0008_calendars")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0008_down")
