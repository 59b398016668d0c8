"""Sandbox backends behind the sandbox port, the router that picks one by profile, and the default profiles."""
