"""Undo of sagas."""
