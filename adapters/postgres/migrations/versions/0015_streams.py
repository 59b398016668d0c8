"""Adds what watchers of streams read."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0015_streams")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0015_down")
