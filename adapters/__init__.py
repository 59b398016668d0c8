"""The outside world: one folder per outside thing, each behind a port of `domain`; adapters never know each other (DESIGN §3)."""
