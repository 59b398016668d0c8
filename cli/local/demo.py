"""`standfast demo`."""

from cli.options import DemoOptions
from examples.delay_claim.demo import main


def run(options: DemoOptions) -> int:
    """Run the example and return 0 only when bank, ledger and runs agree."""
    return main(keep=options.keep)
