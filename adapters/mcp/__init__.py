"""Tools of MCP servers: sessions over stdio in a sandbox and over HTTP with OAuth, pinned tools. May import: domain, mcp, httpx2."""
