"""The run workflow on a real Temporal server and a real PostgreSQL."""
