"""The client for ordinary code: every method waits for its answer."""
