"""Run as a module: a supervisor process for the stack of the folder given, with stand-in worker and gateway."""

import asyncio
import sys
from pathlib import Path

from tests.wiring.dev.stacks import dev_config
from wiring.dev.config import print_line
from wiring.dev.supervisor import run_dev

if __name__ == "__main__":
    asyncio.run(run_dev(dev_config(Path(sys.argv[1])), on_ready=lambda state: print_line(f"ready at {state.gateway_url}")))
