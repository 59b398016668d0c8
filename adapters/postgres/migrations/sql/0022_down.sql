DROP TABLE mcp_authorizations;
DROP TABLE mcp_tokens;
DROP TABLE mcp_tools;
DROP TABLE mcp_servers;
