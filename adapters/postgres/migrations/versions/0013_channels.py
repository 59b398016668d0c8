"""Adds channels to reviewers."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0013_channels")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0013_down")
