"""Tests of adapters.mcp: real servers over stdio in a sandbox and over HTTP."""
