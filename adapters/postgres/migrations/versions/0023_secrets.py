"""Adds references of secrets."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0023_secrets")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0023_down")
