"""Security checks of PROOF §5, over the real gateway."""
