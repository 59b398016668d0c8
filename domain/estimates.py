"""How many tokens a call may use at most, and what prompts and definitions will probably cost. Pure.

A model reads at most one token for each byte of new text: tokenizers of bytes never make more.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import JsonValue

from domain.costs import SAMPLES_MIN, Calibration, Estimate, Interval, interval, quantiles
from domain.fallbacks import Fallback, ModelChain, worst_usd_micros
from domain.model import Value
from domain.program import AgentStep, CallStep, DoStep, Program, SagaStep, Step, SwitchStep
from domain.provider import PriceBook

REQUEST_TOKENS: Final = 800
"""What a provider adds to a request with tools or an output schema: Anthropic's guide to tool use names 346 to 804 tokens by model."""
MESSAGE_TOKENS: Final = 32
"""Roles and separators around one message; both vendors' counters show fewer than ten."""
RESULT_BYTES: Final = 4096
"""How large a tool's answer is taken to be where an estimate cannot know it; the run itself counts the real one."""

ZERO: Final = Interval(low=0, expected=0, high=0)


class PromptShape(Value):
    """A model call before it is made: the most tokens it may read and write, and who may take over."""

    model: str
    input_tokens_max: int
    output_tokens_max: int
    fallbacks: tuple[Fallback, ...] = ()
    max_call_usd_micros: int | None = None

    @property
    def chain(self) -> ModelChain:
        """The models that may answer."""
        return ModelChain(model=self.model, fallbacks=self.fallbacks, max_call_usd_micros=self.max_call_usd_micros)


def text_bytes(value: JsonValue) -> int:
    """Return the bytes of a value as a model is shown it."""
    return len(value.encode()) if isinstance(value, str) else len(json.dumps(value, ensure_ascii=False, sort_keys=True).encode())


def opening_tokens_max(instructions: str, tools: Sequence[JsonValue], output_schema: JsonValue) -> int:
    """Return the most tokens of what stands before the first message."""
    declared = sum(text_bytes(tool) + MESSAGE_TOKENS for tool in tools)
    return REQUEST_TOKENS + text_bytes(instructions) + declared + (0 if output_schema is None else text_bytes(output_schema))


def estimate_prompt(shape: PromptShape, prices: PriceBook, known: Calibration, *, at: datetime | None = None) -> Estimate:
    """Return what one model call will probably cost: as its own model does, and at worst as the dearest way through its chain."""

    def cost_of(model: str) -> int | None:
        read = shape.input_tokens_max
        return prices.cost_usd_micros(model=model, input_tokens=read, output_tokens=shape.output_tokens_max, cache_write_tokens=read, at=at)

    own, worst = cost_of(shape.model), worst_usd_micros(shape.chain, cost_of)
    tokens = shape.input_tokens_max + shape.output_tokens_max
    return Estimate(
        usd_micros=None if own is None or worst is None else interval(own, known.usd),
        tokens=interval(tokens, known.tokens),
        worst_usd_micros=worst,
        worst_tokens=tokens * shape.chain.asked_max,
        samples=known.samples,
        basis="settled_calls" if known.calibrated else "defaults",
        unpriced=tuple(model for model in dict.fromkeys(shape.chain.models) if cost_of(model) is None),
    )


def models_of(program: Program) -> list[str]:
    """Return the models a program asks, sorted."""
    return sorted({step.model for step, _ in _leaves(program.steps) if isinstance(step, AgentStep)})


def estimate_program(
    program: Program, *, run_input: JsonValue, prices: PriceBook, known: Mapping[str, Calibration], runs: Sequence[tuple[int, int]]
) -> Estimate:
    """Return what a run will probably cost: as its settled runs did where there are enough, else the sum over its calls.

    What stands under a condition counts nothing in `low`. An agent is expected to take a turn for each of its tools and one to answer, and
    at worst all of its turns. A budget of the definition bounds everything.
    """
    given = _Given(program, run_input, prices, known)
    parts = [_part(step, given, certain=certain) for step, certain in _leaves(program.steps)]
    unpriced = tuple(sorted({model for part in parts for model in part.unpriced}))
    usd = None if unpriced else _summed([part.usd_micros or ZERO for part in parts])
    tokens = _summed([part.tokens for part in parts])
    worst_usd, worst_tokens = sum(part.worst_usd_micros or 0 for part in parts), sum(part.worst_tokens for part in parts)
    seen = len(runs) >= SAMPLES_MIN
    if seen:
        usd, tokens = _quantile([cost for cost, _ in runs]), _quantile([used for _, used in runs])
    cap = program.budget
    if cap is not None and cap.usd_micros is not None:
        usd, worst_usd = _cut(usd, cap.usd_micros), min(worst_usd, cap.usd_micros)
    if cap is not None and cap.tokens is not None:
        tokens, worst_tokens = _cut(tokens, cap.tokens) or tokens, min(worst_tokens, cap.tokens)
    calibrated = bool(known) and all(one.calibrated for one in known.values())
    return Estimate(
        usd_micros=usd,
        tokens=tokens,
        worst_usd_micros=None if unpriced and not seen else worst_usd,
        worst_tokens=worst_tokens,
        samples=len(runs) if seen else min((one.samples for one in known.values()), default=0),
        basis="settled_runs" if seen else "settled_calls" if calibrated else "defaults",
        unpriced=unpriced,
    )


@dataclass(frozen=True)
class _Given:
    """What every part of an estimate is made from."""

    program: Program
    run_input: JsonValue
    prices: PriceBook
    known: Mapping[str, Calibration]


def _part(step: Step, given: _Given, *, certain: bool) -> Estimate:
    if isinstance(step, CallStep):
        cost = given.program.tools[step.tool].cost_usd_micros
        usd = Interval(low=cost if certain else 0, expected=cost, high=cost)
        return Estimate(usd_micros=usd, tokens=ZERO, worst_usd_micros=cost, worst_tokens=0, samples=0, basis="defaults")
    if not isinstance(step, AgentStep):
        return Estimate(usd_micros=ZERO, tokens=ZERO, worst_usd_micros=0, worst_tokens=0, samples=0, basis="defaults")
    turns = [estimate_prompt(shape, given.prices, given.known.get(step.model, Calibration())) for shape in _turns(step, given)]
    likely = min(step.max_turns, 1 + len(step.tools))

    def over(pick: Callable[[Estimate], Interval]) -> Interval:
        return Interval(
            low=pick(turns[0]).low if certain else 0,
            expected=sum(pick(turn).expected for turn in turns[:likely]),
            high=sum(pick(turn).high for turn in turns),
        )

    unpriced = turns[0].unpriced
    return Estimate(
        usd_micros=None if unpriced else over(lambda turn: turn.usd_micros or ZERO),
        tokens=over(lambda turn: turn.tokens),
        worst_usd_micros=None if unpriced else sum(turn.worst_usd_micros or 0 for turn in turns),
        worst_tokens=sum(turn.worst_tokens for turn in turns),
        samples=turns[0].samples,
        basis=turns[0].basis,
        unpriced=unpriced,
    )


def _turns(step: AgentStep, given: _Given) -> list[PromptShape]:
    """The calls of an agent that uses all its turns: each reads what came before."""
    tools: list[JsonValue] = [{"name": name, "parameters": given.program.tools[name].input_schema} for name in step.tools]
    opening = opening_tokens_max(step.instructions, tools, step.output_schema)
    first = opening + text_bytes(step.input) + text_bytes(given.run_input) + MESSAGE_TOKENS
    grown = step.max_output_tokens + RESULT_BYTES + 2 * MESSAGE_TOKENS
    return [
        PromptShape(
            model=step.model,
            input_tokens_max=first + turn * grown,
            output_tokens_max=step.max_output_tokens,
            fallbacks=tuple(step.fallbacks),
            max_call_usd_micros=step.max_call_usd_micros,
        )
        for turn in range(step.max_turns)
    ]


def _leaves(steps: Sequence[Step], *, certain: bool = True) -> list[tuple[Step, bool]]:
    """Return calls and agents, and whether each surely runs."""
    found: list[tuple[Step, bool]] = []
    for step in steps:
        sure = certain and step.when is None
        if isinstance(step, DoStep | SagaStep):
            found.extend(_leaves(step.steps, certain=sure))
        elif isinstance(step, SwitchStep):
            found.extend(leaf for case in step.cases for leaf in _leaves(case.steps, certain=False))
        else:
            found.append((step, sure))
    return found


def _summed(parts: Sequence[Interval]) -> Interval:
    return sum(parts, ZERO)


def _quantile(values: Sequence[int]) -> Interval:
    low, expected, high = quantiles(values)
    return Interval(low=int(low), expected=int(expected), high=int(high))


def _cut(given: Interval | None, cap: int) -> Interval | None:
    if given is None:
        return None
    return Interval(low=min(given.low, cap), expected=min(given.expected, cap), high=min(given.high, cap))
