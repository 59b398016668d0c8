"""Tests of the tools and their registry, beyond what every tool has in common."""
