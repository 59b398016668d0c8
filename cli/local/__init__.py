"""What runs on this machine: the stack and its parts. Only these modules know wiring, and only `cli.starting` imports them, when asked."""
