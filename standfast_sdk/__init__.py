"""For people who write Temporal workflows by hand: re-exports of the platform's blocks. None is exported yet."""
