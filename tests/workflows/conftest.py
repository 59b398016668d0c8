"""One Temporal server with time skipping, one PostgreSQL and one pool for the session; each test has a tenant and a queue of its own."""

from tests.workflows.fixtures import bench, database, migrated, temporal

__all__ = ["bench", "database", "migrated", "temporal"]
