"""Adds registered agents."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0017_agents")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0017_down")
