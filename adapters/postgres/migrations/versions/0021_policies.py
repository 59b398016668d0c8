"""Adds policies of tenants."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0021_policies")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0021_down")
