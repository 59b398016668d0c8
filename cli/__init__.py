"""The `standfast` command: remote commands speak through the Python client, local ones start or inspect parts on this machine."""
