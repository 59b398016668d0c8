"""Runnable examples: each folder is one job, complete with its data, its outside services and its tests."""
