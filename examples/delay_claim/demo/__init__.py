"""The demo of the main job, as `make demo` and `standfast demo` run it; `play` is its plot, the rest are stage and props."""

from examples.delay_claim.demo.play import main, stop

__all__ = ["main", "stop"]
