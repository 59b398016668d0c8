"""${message}."""

from adapters.postgres.migrations.scripts import run_scripts

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Apply this revision."""
    run_scripts(${repr(up_revision)})


def downgrade() -> None:
    """Take this revision back."""
    run_scripts("${up_revision}_down")
