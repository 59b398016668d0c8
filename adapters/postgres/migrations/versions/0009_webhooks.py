"""Adds subscriptions and deliveries."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0009_webhooks")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0009_down")
