"""Adds dead letters."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0012_dead_letters")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0012_down")
