"""Run as `python -m wiring.embedded`: make sure a Temporal server program is there, building it if need be, and print its path."""

import asyncio
import sys

from wiring.embedded.temporal_server import TemporalServerUnavailableError, ensure_temporal_server
from wiring.settings import PlatformSettings


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def main() -> int:
    """Return the exit code: 0 with the path on standard output, 1 with the ways out on standard error."""
    try:
        program = asyncio.run(ensure_temporal_server(progress=_say, offline=PlatformSettings().offline))
    except TemporalServerUnavailableError as error:
        _say(str(error))
        return 1
    sys.stdout.write(f"{program}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
