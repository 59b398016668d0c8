"""Definitions of every shape that a segment can meet, each with what its tools answer; for runs by segments and step by step."""

import json
from dataclasses import dataclass

from pydantic import JsonValue

from domain.effects import EffectClass
from domain.errors import ToolFailed, ToolUnavailable
from domain.program import Execution, PinnedTool, Program, RetryRule, Step
from domain.projection import PROJECTED_BYTES_MAX
from tests.domain.programs import approve, call, do, pinned, program, put, saga, switch
from tests.workflows.bench import Bench, Line, LiveRun, ScriptedTool

PLAIN: Line = {"n": 1}
AWAY = ToolUnavailable("503", retry_after_s=0.01)

UNLIKE: frozenset[str] = frozenset({"last_digest", "approval", "digest", "decision", "decision_id", "deadline", "nonce"})
"""Keys of an entry's data that differ from run to run: ids, nonces, and digests over times."""


@dataclass(frozen=True)
class Shape:
    """A definition's steps and its tools' scripts; a tool that is not named reads and answers `{"n": 1}`."""

    steps: tuple[Step, ...]
    output: JsonValue = None
    scripts: tuple[tuple[str, tuple[Line, ...]], ...] = ()
    approvals: int = 0

    def program(self, execution: Execution | None) -> Program:
        """Compile it."""
        tools = [self._pinned(name) for name in self._names()]
        made = program(*self.steps, output=self.output, tools=tools)
        return made.model_copy(update={"execution": execution})

    def tools(self) -> list[ScriptedTool]:
        """Build its tools anew."""
        scripts = dict(self.scripts)
        return [
            ScriptedTool(name, *scripts.get(name, (PLAIN,) * 20), effect_class=self._pinned(name).effect_class) for name in self._names()
        ]

    def _names(self) -> list[str]:
        named = {name for name, _ in self.scripts}
        return sorted(named | set(program(*self.steps).tools))

    def _pinned(self, name: str) -> PinnedTool:
        effect_class = EffectClass.MONEY if name.startswith("bank.") else EffectClass.READ
        return pinned(name, effect_class=effect_class, timeout_s=9)


def read(path: str, *, tool: str = "log.read", **more: object) -> Step:
    """Build a quick read."""
    return call(path, tool=tool, **more)  # pyright: ignore[reportArgumentType] - call's own keywords


def one(name: str, *answers: Line) -> tuple[tuple[str, tuple[Line, ...]], ...]:
    """Return the scripts of one tool that matters."""
    return ((name, answers),)


READS = (read("a"), read("b"))
UNDO = saga("s", call("s.pay", undo="bank.refund"), read("s.a"), read("s.b", tool="log.odd"), call("s.last"))

SHAPES: dict[str, Shape] = {
    "values between": Shape(
        (put("x", "${ input.n }"), read("a"), put("y", "${ steps.a.output.n + 1 }"), read("b", arguments={"y": "${ steps.y.output }"})),
        output="${ steps.y.output }",
    ),
    "one read alone": Shape((read("a"),), output="${ steps.a.output.n }"),
    "a whole run": Shape((*READS, read("c")), output={"b": "${ steps.b.output }", "none": None}),
    "reads before a write": Shape((*READS, put("x", 1), call("pay")), output="${ steps.b.output }"),
    "reads around a write": Shape((*READS, call("pay", arguments={"n": "${ steps.b.output.n }"}), read("c"), read("d"))),
    "reads before an approval": Shape((*READS, approve("gate"), read("c"), read("d")), approvals=1),
    "a bound read": Shape((approve("gate", binds=["b"]), *READS, read("c")), approvals=1),
    "a switch": Shape((read("a"), switch("s", ("steps.a.output.n > 1", [read("s.x")]), (None, [read("s.y"), put("s.z", 1)])), read("b"))),
    "a switch without a case": Shape((read("a"), switch("s", ("false", [read("s.x")])), read("b"))),
    "a block": Shape((do("d", read("d.a"), do("d.e", read("d.e.x"), read("d.e.y"))), read("b")), output="${ steps.d.output }"),
    "skipped steps": Shape((read("a", when="false"), read("b"), do("d", read("d.x"), when="input.n > 1"), read("c", when="true"))),
    "outputs made anew": Shape((read("a", output_as={"m": "${ self.output.n + 1 }"}), read("b", arguments={"m": "${ steps.a.output.m }"}))),
    "a failing tool": Shape((*READS, read("c", tool="log.odd"), read("d")), scripts=one("log.odd", ToolFailed("no such thing"))),
    "a failing first tool": Shape((read("c", tool="log.odd"), *READS), scripts=one("log.odd", ToolFailed("no such thing"))),
    "a broken tool": Shape((*READS, read("c", tool="log.odd")), scripts=one("log.odd", ValueError("a bug"))),
    "a flaky tool": Shape((*READS, read("c", tool="log.odd"), read("d")), scripts=one("log.odd", AWAY, AWAY, {"n": 3}), output=1),
    "a flaky tool within its tries": Shape(
        (*READS, read("c", tool="log.odd", retry=RetryRule(max_attempts=3)), read("d")), scripts=one("log.odd", AWAY, AWAY, {"n": 3})
    ),
    "a flaky tool beyond its tries": Shape(
        (*READS, read("c", tool="log.odd", retry=RetryRule(max_attempts=2)), read("d")), scripts=one("log.odd", AWAY, AWAY, {"n": 3})
    ),
    "a flaky tool with one try": Shape(
        (*READS, read("c", tool="log.odd", retry=RetryRule(max_attempts=1))), scripts=one("log.odd", AWAY, {"n": 3})
    ),
    "arguments that are none": Shape((*READS, read("c", arguments="${ steps.b.output.n }"), read("d"))),
    "a value that cannot be made": Shape((read("a"), put("x", "${ steps.a.output.missing }"), read("b"))),
    "a condition that cannot be told": Shape((read("a"), read("b", when="steps.a.output.missing"), read("c"))),
    "an output that cannot be made": Shape(READS, output="${ steps.b.output.missing }"),
    "too much to carry on": Shape((read("a"), read("b", tool="log.odd"), read("c")), scripts=one("log.odd", "x" * PROJECTED_BYTES_MAX)),
    "a saga around reads": Shape((UNDO, read("z"))),
    "a saga undone for a read": Shape((UNDO,), scripts=one("log.odd", ToolFailed("no"))),
    "a saga undone after its reads": Shape((UNDO,), scripts=one("bank.pay", {}, ToolFailed("no"))),
    "many steps": Shape(tuple(read(f"a{n}") for n in range(20)), output="${ steps.a19.output.n }"),
}


async def played(bench: Bench, shape: Shape, execution: Execution | None) -> LiveRun:
    """Run a shape to its end."""
    async with bench.running(shape.program(execution), *shape.tools()) as run:
        for _ in range(shape.approvals):
            await run.decide(run.decision(await run.approval()))
        await run.failure()
    return run


async def told(run: LiveRun) -> dict[str, JsonValue]:
    """Return all that a run leaves, without what differs from run to run: times, ids, salts, attempts."""
    bench, row = run.bench, await run.row()
    verdict = await bench.verdict(run.run)
    assert verdict.ok, verdict.broken
    entries: list[JsonValue] = [_entry(json.loads(entry.body)) for entry in await bench.storage.ledger.entries(bench.tenant, run.run)]
    effects = await bench.storage.runs.effects_of(bench.tenant, run.run)
    return {
        "entries": entries,
        "effects": [effect.model_dump(mode="json", exclude={"attempt", "started_at", "ended_at"}) for effect in effects],
        "status": row.status.value,
        "error": None if row.error is None else {**row.error},
        "result": await bench.storage.runs.result_of(bench.tenant, run.run) if row.status.value == "succeeded" else None,
    }


def _entry(body: dict[str, JsonValue]) -> dict[str, JsonValue]:
    data = body.pop("data")
    assert isinstance(data, dict)
    body["has_payload"] = body.pop("payload_digest") is not None
    for name in ("at", "attempt"):
        body.pop(name)
    return {**body, "data": {key: value for key, value in data.items() if key not in UNLIKE}}
