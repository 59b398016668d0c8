"""Agents that work together in hand-written workflows: six patterns, each a workflow, on a scripted model."""
