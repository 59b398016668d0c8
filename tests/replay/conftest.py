"""Fixtures of the workflow tests: histories are recorded on the same servers."""

from tests.workflows.fixtures import bench, database, migrated, temporal

__all__ = ["bench", "database", "migrated", "temporal"]
