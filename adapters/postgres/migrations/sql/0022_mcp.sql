-- Pinned MCP servers.
SELECT 1;
