"""All quiet probes in one start of a sandbox, each in a child of its own. The control runs the same file without a sandbox, as root."""

import host
import kernel
from attempt import main

PARTS = (host, kernel)
"""Importing them registers their probes."""

if __name__ == "__main__":
    main()
