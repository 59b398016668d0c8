"""`standfast worker`."""

from cli.options import PartOptions
from wiring.worker import main


def run(options: PartOptions) -> int:
    """Run a worker until SIGINT or SIGTERM."""
    del options
    return main()
