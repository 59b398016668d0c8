"""Reserved for subjects."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0005_subjects")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0005_down")
