"""Alembic's environment, the revisions, and the SQL they run."""
