"""Adds what agents remember."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0020_memory")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0020_down")
