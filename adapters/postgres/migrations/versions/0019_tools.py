"""Adds registered tools and the audit of their calls."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0019_tools")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0019_down")
