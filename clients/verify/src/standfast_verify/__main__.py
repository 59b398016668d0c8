"""`python -m standfast_verify`."""

import sys

from standfast_verify.command import main

sys.exit(main())
