"""Tools behind the tool port: the registry, built-ins, declared REST calls, programs in sandboxes."""
