"""Made-up definitions: any mixture of what a segment can meet."""

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from domain.errors import ToolFailed
from domain.program import RetryRule, Step
from tests.domain.programs import call, do, put, saga, switch
from tests.workflows.bench import Line
from tests.workflows.segment_shapes import AWAY, PLAIN, Shape, read

SCRIPTS: dict[str, tuple[Line, ...]] = {
    "log.read": (PLAIN,) * 60,
    "log.flaky": (AWAY, AWAY, *(PLAIN,) * 60),
    "log.broken": (ToolFailed("no"),) * 20,
    "bank.pay": (PLAIN,) * 60,
    "bank.refund": (PLAIN,) * 60,
}

Make = Callable[[str], Step]
"""Makes a step with a path."""

LEAVES: dict[str, Make] = {
    "read": read,
    "flaky": lambda path: read(path, tool="log.flaky", retry=RetryRule(max_attempts=3)),
    "impatient": lambda path: read(path, tool="log.flaky", retry=RetryRule(max_attempts=1)),
    "broken": lambda path: read(path, tool="log.broken"),
    "value": lambda path: put(path, {"n": "${ input.n }", "none": None}),
    "no value": lambda path: put(path, "${ input.missing }"),
    "skipped": lambda path: read(path, when="input.n > 1"),
    "made anew": lambda path: read(path, output_as="${ self.output.n + 1 }"),
    "alone": lambda path: read(path, execution="steps"),
    "write": call,
}

USUAL = ("read", "read", "read", "value", "made anew", "skipped", "write", "alone", "flaky")


def shapes() -> st.SearchStrategy[Shape]:
    """Make up definitions of one to eight steps; most of them succeed, and some fail somewhere."""
    usual, any_leaf = st.sampled_from(USUAL), st.sampled_from(sorted(LEAVES))
    leaf = st.one_of(usual, usual, usual, any_leaf)
    inner = st.lists(leaf, min_size=1, max_size=3)
    block = st.tuples(st.sampled_from(("do", "switch", "saga")), inner)
    return st.lists(st.one_of(leaf, leaf, block), min_size=1, max_size=8).map(_shape)


def _shape(plan: Sequence[str | tuple[str, list[str]]]) -> Shape:
    steps = tuple(_step(f"s{place}", part) for place, part in enumerate(plan))
    return Shape((read("first"), *steps), output={"n": "${ steps.first.output.n }"}, scripts=tuple(SCRIPTS.items()))


def _step(path: str, part: str | tuple[str, list[str]]) -> Step:
    if isinstance(part, str):
        return LEAVES[part](path)
    keyword, names = part
    inner = [LEAVES[name](f"{path}.i{place}") for place, name in enumerate(names)]
    if keyword == "do":
        return do(path, *inner)
    if keyword == "switch":
        return switch(path, ("input.n > 1", [read(f"{path}.other")]), (None, inner))
    return saga(path, call(f"{path}.pay", undo="bank.refund"), *inner)
