"""What people see of redrives, forks and comparisons. Pure: nothing is written here."""

from pydantic import JsonValue

from cli.views import Fields, compact, dollars, moment
from standfast_client import Comparison, Run, RunSide, StepPair, StepSide

SHOWN_CHARS_MAX = 60
"""Longest result in a comparison; `standfast result RUN` shows the whole."""


def kept_text(kept: int) -> str:
    """Return how many steps keep their outcome."""
    return "1 step keeps what it did" if kept == 1 else f"{kept} steps keep what they did"


def lineage_fields(run: Run) -> Fields:
    """Return where a run comes from, how often it was begun, and what people asked of it."""
    fork = run.forked_from
    asked: Fields = [(f"{each.what} asked", f"{moment(each.at)} by {each.by}{_because(each.reason)}") for each in run.requests]
    return [
        ("epoch", str(run.epoch) if run.epoch is not None else None),
        ("forked from", f"{fork.parent} at {fork.step}, effects {fork.effects}" if fork else None),
        *asked,
    ]


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def comparison_lines(found: Comparison) -> list[str]:
    """Return both runs below each other, then a line for each step: `=` where both are alike, `≠` where not."""
    head = [found.related] if found.related else []
    ends = [_run_line("a", found.a), _run_line("b", found.b)]
    difference = f"   outcome {'same' if found.same_outcome else 'differs'}, {_signed(found.tokens_difference)} tokens"
    cost = found.cost_difference_usd_micros
    difference += f", {'-' if cost < 0 else '+'}{dollars(abs(cost))}"
    width = max((len(pair.step) for pair in found.steps), default=0)
    return [*head, *ends, difference, *(_step_line(pair, width) for pair in found.steps)]


def _run_line(name: str, side: RunSide) -> str:
    used = f"{side.input_tokens + side.output_tokens} tokens  {dollars(side.cost_usd_micros)}"
    took = "open" if side.duration_ms is None else f"{side.duration_ms} ms"
    ended = side.error.code if side.error else _cut(side.result)
    return f"{name}  {side.run}  {side.status}  {used}  {took}  {ended}".rstrip()


def _cut(result: JsonValue) -> str:
    text = "" if result is None else compact(result)
    return text if len(text) <= SHOWN_CHARS_MAX else text[: SHOWN_CHARS_MAX - 1] + "…"


def _step_line(pair: StepPair, width: int) -> str:
    return f"{'=' if pair.same else '≠'}  {pair.step.ljust(width)}  a: {_side_text(pair.a)}  b: {_side_text(pair.b)}"


def _side_text(side: StepSide | None) -> str:
    if side is None:
        return "–"
    parts = [side.status]
    if side.visits > 1:
        parts.append(f"visit {side.visits}")
    if side.simulated_calls:
        parts.append("simulated")
    if tokens := side.input_tokens + side.output_tokens:
        parts.append(f"{tokens} tokens")
    return " ".join(parts)


def _signed(number: int) -> str:
    return f"{number:+d}" if number else "±0"
