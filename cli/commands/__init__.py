"""The commands as the user types them: each reads its options, makes one call and hands what came back to a view."""
