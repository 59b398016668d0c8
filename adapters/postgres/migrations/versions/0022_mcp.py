"""Adds pinned MCP servers."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0022_mcp")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0022_down")
