-- Removes pinned MCP servers.
SELECT 1;
