"""First tables, row-level security, the append-only ledger, and the journal's functions."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make everything."""
    run_scripts("0001_tables", "0001_access", "0001_chain", "0001_intent", "0001_outcome", "0001_flush", "0001_definer")


def downgrade() -> None:
    """Remove everything, rows included."""
    run_scripts("0001_down")
