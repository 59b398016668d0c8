"""Adds inbound webhooks."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0010_hooks")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0010_down")
