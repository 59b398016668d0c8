"""Conformance suites: one per port, run on every adapter and on its fake."""
