"""Tests of the `standfast` command."""
