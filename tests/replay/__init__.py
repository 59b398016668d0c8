"""Recorded histories, replayed against the code as it is now."""
