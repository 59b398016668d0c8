"""Adds evaluations."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0018_evaluations")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0018_down")
