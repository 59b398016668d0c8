"""Budgets, run allowances, reservations, settled costs (JOURNAL §3)."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make tables and functions."""
    run_scripts("0004_money", "0004_escrow", "0004_reserve", "0004_journal")


def downgrade() -> None:
    """Remove them."""
    run_scripts("0004_down")
