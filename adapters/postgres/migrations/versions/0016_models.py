"""Adds what tenants say of models."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0016_models")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0016_down")
