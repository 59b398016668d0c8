"""Builders of compiled programs for tests: steps by short words, tools pinned by themselves."""

from collections.abc import Iterable

from pydantic import JsonValue

from domain.effects import EffectClass, RetryClass
from domain.expressions import ENGINE
from domain.program import (
    AgentStep,
    ApproveStep,
    CallStep,
    Compensation,
    DoStep,
    PinnedTool,
    Program,
    SagaStep,
    SetStep,
    Step,
    SwitchCase,
    SwitchStep,
)
from domain.stepper import walk


def pinned(
    name: str,
    *,
    effect_class: EffectClass = EffectClass.MONEY,
    retry_class: RetryClass = RetryClass.IDEMPOTENT,
    timeout_s: float = 5,
    heartbeat_s: float | None = None,
    max_attempts: int = 5,
) -> PinnedTool:
    """Build a pinned tool."""
    return PinnedTool(
        name=name,
        version="1.0.0",
        description=name,
        input_schema={"type": "object"},
        effect_class=effect_class,
        retry_class=retry_class,
        timeout_s=timeout_s,
        heartbeat_s=heartbeat_s,
        max_attempts=max_attempts,
    )


def call(
    path: str,
    *,
    tool: str = "bank.pay",
    arguments: JsonValue = None,
    undo: str | None = None,
    undo_arguments: JsonValue = None,
    if_unknown: str = "ask",
    **more: object,
) -> CallStep:
    """Build a call step; `undo` names the tool of its compensation."""
    given = {"path": path, "tool": tool, "arguments": {} if arguments is None else arguments, **more}
    if undo is not None:
        given["compensate"] = Compensation.model_validate({"tool": undo, "arguments": undo_arguments or {}, "if_unknown": if_unknown})
    return CallStep.model_validate(given)


def approve(path: str, *, binds: Iterable[str] = (), **more: object) -> ApproveStep:
    """Build an approve step for the reviewer role `payer`."""
    return ApproveStep.model_validate({"path": path, "title": path, "binds": list(binds), "reviewer_role": "payer", **more})


def put(path: str, value: JsonValue, **more: object) -> SetStep:
    """Build a set step."""
    return SetStep.model_validate({"path": path, "value": value, **more})


def do(path: str, *steps: Step, **more: object) -> DoStep:
    """Build a do step."""
    return DoStep.model_validate({"path": path, "steps": list(steps), **more})


def saga(path: str, *steps: Step, **more: object) -> SagaStep:
    """Build a saga."""
    return SagaStep.model_validate({"path": path, "steps": list(steps), **more})


def switch(path: str, *cases: tuple[str | None, list[Step]], **more: object) -> SwitchStep:
    """Build a switch; a case is (condition or None, steps)."""
    built = [SwitchCase(name=f"case{place}", when=when, steps=steps) for place, (when, steps) in enumerate(cases)]
    return SwitchStep.model_validate({"path": path, "cases": built, **more})


def agent(path: str, *, tools: Iterable[str] = (), **more: object) -> AgentStep:
    """Build an agent step."""
    return AgentStep.model_validate({"path": path, "model": "fake/model", "instructions": "Decide.", "tools": list(tools), **more})


def program(
    *steps: Step, output: JsonValue = None, tools: Iterable[PinnedTool] = (), projections: dict[str, list[str]] | None = None
) -> Program:
    """Build a program; a tool that is not given is pinned with the defaults of `pinned`, and expressions read whole outputs."""
    known = {tool.name: tool for tool in tools}
    for step in walk(list(steps)):
        for name in _tools_of(step):
            known.setdefault(name, pinned(name))
    leaves = {step.path: [""] for step in walk(list(steps)) if step.kind in ("call", "agent")}
    return Program(
        name="test",
        version="1.0.0",
        sha256="0" * 64,
        expression_engine=ENGINE,
        steps=list(steps),
        output=output,
        tools=known,
        projections=leaves | (projections or {}),
    )


def _tools_of(step: Step) -> list[str]:
    if isinstance(step, AgentStep):
        return step.tools
    if isinstance(step, CallStep):
        return [step.tool] if step.compensate is None else [step.tool, step.compensate.tool]
    return []
