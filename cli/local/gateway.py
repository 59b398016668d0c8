"""`standfast gateway`."""

from api.main import main
from cli.options import PartOptions


def run(options: PartOptions) -> int:
    """Run a gateway until SIGINT or SIGTERM."""
    del options
    return main()
