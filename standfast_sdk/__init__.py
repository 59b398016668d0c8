"""For people who write Temporal workflows by hand: the platform's blocks as functions, re-exported from the rooms that own them."""
