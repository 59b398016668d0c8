"""Pages for people without an account: those of signed links. Plain HTML that works without JavaScript; templates are package data."""
