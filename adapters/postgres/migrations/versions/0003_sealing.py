"""The sealer's tables: leases, leaves and nodes of the Merkle log, signed heads, public keys, anchors; and which runs are unsealed."""

from adapters.postgres.migrations.scripts import run_scripts

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make what is new."""
    run_scripts("0003_sealing")


def downgrade() -> None:
    """Remove it."""
    run_scripts("0003_down")
