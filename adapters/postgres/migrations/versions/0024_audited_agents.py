"""Adds the registered agent to the audit of calls."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add what is new."""
    run_scripts("0024_audited_agents")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0024_down")
