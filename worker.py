"""Starts one worker process: settings, container, run."""

from wiring.processes import leave
from wiring.worker import main

if __name__ == "__main__":
    leave(main())
