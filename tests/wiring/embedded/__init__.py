"""Tests of the embedded Temporal server and PostgreSQL, against the real ones."""
