"""`standfast dev` in the foreground: this process is the supervisor.

Apart from `cli.local.dev`, whose other actions only look at files and processes: the supervisor brings the Temporal SDK and
PostgreSQL's driver along, and `--detach` starts it in a process of its own.
"""

import asyncio

from cli.exit_codes import ExitCode
from cli.local.dev_views import note_progress, show_state
from cli.options import DevOptions
from cli.screen import note
from domain.errors import StandfastError
from wiring.dev.child import ChildFailedError
from wiring.dev.records import DevState
from wiring.dev.supervisor import run_dev
from wiring.dev_stack import dev_config
from wiring.embedded.postgres_programs import PostgresUnavailableError
from wiring.embedded.temporal_ready import TemporalNotReadyError, TemporalTooOldError
from wiring.embedded.temporal_server import TemporalServerUnavailableError
from wiring.settings import PlatformSettings

_CANNOT_START = (
    ChildFailedError,
    PostgresUnavailableError,
    TemporalNotReadyError,
    TemporalServerUnavailableError,
    TemporalTooOldError,
    StandfastError,
)


def run(options: DevOptions) -> int:
    """Run the stack until SIGINT or SIGTERM. Raises: AlreadyRunningError."""

    def ready(state: DevState) -> None:
        if not options.background:
            show_state(state, options)
            note("stop with Ctrl-C")

    state_dir = options.state_dir or PlatformSettings().state_dir
    try:
        asyncio.run(run_dev(dev_config(state_dir, progress=note_progress), on_ready=ready))
    except _CANNOT_START as error:
        note(f"error: {error}")
        return ExitCode.UNAVAILABLE
    return ExitCode.OK
