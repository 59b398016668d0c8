"""`python -m examples.delay_claim.demo [--keep | --stop]`."""

import argparse
import sys

from examples.delay_claim.demo import main, stop

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m examples.delay_claim.demo", description="Seven claims, from letter to money.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--keep", action="store_true", help="leave the stack, the bank and the mail service running")
    choice.add_argument("--stop", action="store_true", help="stop what a demo with --keep left running")
    options = parser.parse_args()
    sys.exit(stop() if options.stop else main(keep=options.keep))
