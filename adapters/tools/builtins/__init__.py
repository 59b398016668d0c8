"""The built-in tools, each in a module of its own; all enter by one entry point, as a plugin's do (docs/tools-builtin.md)."""
