"""Policies over tool calls in Cedar: engine, schema, and the sets that come with the platform. May import: domain, cedarpy (ADR 0032)."""
