"""`standfast migrate`."""

from cli.exit_codes import ExitCode
from cli.options import MigrateOptions
from cli.screen import note
from domain.errors import StandfastError, Unavailable
from wiring.migration import migrate_command


def run(options: MigrateOptions) -> int:
    """Migrate the database, or compare its schema."""
    try:
        return migrate_command(check=options.check)
    except Unavailable as error:
        note(f"error: {error.detail}")
        return ExitCode.UNAVAILABLE
    except StandfastError as error:
        note(f"error: {error.detail}")
        return ExitCode.USAGE
