"""Reserved for lineage."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0006_lineage", "0006_facts")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0006_facts_down", "0006_down")
