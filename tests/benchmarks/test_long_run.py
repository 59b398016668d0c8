"""What the benchmark of long runs makes of the times it reads."""

import pytest

from benchmarks.long_run import Walked, growth, report
from benchmarks.platform import chain_of
from domain.segments import CALLS_MAX

STEPS = 10 * CALLS_MAX


def walked(*, first_ms: float, last_ms: float, change_ms: float = 0.0) -> Walked:
    """Return a run whose steps cost this at first and at last, from its middle on; each change of segments costs more."""
    began, now = [0.0], 0.0
    for step in range(1, STEPS):
        now += (first_ms if step < STEPS // 2 else last_ms) / 1000
        now += change_ms / 1000 if step % CALLS_MAX == 0 else 0
        began.append(now)
    return Walked(began, 1)


class TestWalked:
    def test_tells_what_a_step_costs_at_the_beginning_and_at_the_end(self) -> None:
        run = walked(first_ms=2, last_ms=3)
        assert (run.first, run.last) == (pytest.approx(2), pytest.approx(3))

    def test_counts_one_change_of_segments_wherever_it_looks(self) -> None:
        run = walked(first_ms=1, last_ms=1, change_ms=64)
        assert [run.around(place) for place in (0, 7, 100, STEPS - 2 * CALLS_MAX)] == [pytest.approx(2)] * 4


class TestGrowth:
    def test_is_the_last_steps_over_the_first(self) -> None:
        assert growth([walked(first_ms=2, last_ms=3)]) == pytest.approx(1.5)

    def test_leaves_out_that_the_box_grew_slower(self) -> None:
        drifting = [walked(first_ms=ms, last_ms=ms + 1) for ms in (1, 3, 5)]
        assert growth(drifting[:2]) == pytest.approx((1 + 4 / 3) / 2)

    def test_is_judged_in_the_report(self) -> None:
        assert "met" in report("standfast", [walked(first_ms=2, last_ms=2.3)])
        assert "MISSED" in report("standfast", [walked(first_ms=2, last_ms=2.5)])


class TestChain:
    def test_reads_the_step_before_each_step(self) -> None:
        program = chain_of(3)
        assert [step.model_dump()["arguments"]["n"] for step in program.steps] == [
            "${ input.n }",
            "${ steps.s0.output.n }",
            "${ steps.s1.output.n }",
        ]
        assert program.projections == {"s0": ["n"], "s1": ["n"], "s2": ["n"]}
