"""Starts one worker process: settings, container, run."""

from wiring.worker import leave, main

if __name__ == "__main__":
    leave(main())
