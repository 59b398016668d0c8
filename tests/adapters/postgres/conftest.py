"""Every test of this folder runs on both versions."""

from tests.adapters.postgres.databases import db, server, servers, tenant

__all__ = ["db", "server", "servers", "tenant"]
