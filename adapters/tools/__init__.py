"""Tools behind the tool port: the registry, code in a sandbox, and declared REST calls."""
