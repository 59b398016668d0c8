"""Hypothesis state machines: the real part is driven beside a plain model of it (PROOF S16)."""
