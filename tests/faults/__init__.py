"""Faults: what breaks, planted or injected, and what catches it."""
