"""Escape and abuse probes for sandboxes: programs that run inside, and what they are given from outside."""
