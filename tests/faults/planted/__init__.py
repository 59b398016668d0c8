"""Variants of our own parts with one bug each: the suites must catch every one (JOURNAL: planted bugs)."""
