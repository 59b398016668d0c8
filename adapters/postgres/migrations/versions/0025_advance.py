"""Adds the plain step of a segment: one effect's outcome and the next one's intent as one change of the run."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Add what is new."""
    run_scripts("0025_advance")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0025_down")
