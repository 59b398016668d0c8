"""Tests of the sandbox backends, beyond what every backend has in common."""
