"""Standfast as an MCP server: streamable HTTP on the gateway, with the caller's own key."""
