"""Fixtures of the workflow tests, for planted bugs in workflow code."""

from tests.workflows.fixtures import bench, database, migrated_url, temporal

__all__ = ["bench", "database", "migrated_url", "temporal"]
