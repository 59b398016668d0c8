"""The undo list of a hand-written saga: what a compensation is, what it may read, and what a child hands its parent. Deterministic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from domain.code_labels import CodeLabels
from domain.model import Wire
from domain.policy_input import CallInput
from domain.program import PinnedTool, RetryRule
from domain.state import RenderedUndo

IfUnknown = Literal["compensate", "ask"]


@dataclass(frozen=True)
class Made:
    """What a compensation may read of its step: what it was called with, and its output; None when nobody knows it."""

    arguments: Mapping[str, JsonValue]
    output: JsonValue


@dataclass(frozen=True)
class Undoing:
    """A compensation: a tool, and its arguments or how to make them of the step.

    `if_unknown` says what to do when nobody knows whether the step happened, `retry` how often it is tried before a person is asked.
    """

    tool: str
    arguments: Mapping[str, JsonValue] | Callable[[Made], Mapping[str, JsonValue]]
    if_unknown: IfUnknown = "ask"
    retry: RetryRule | None = None


class HandedOver(Wire):
    """What a child workflow gives its parent: its value, and what would undo what it did."""

    value: JsonValue = None
    undo: list[RenderedUndo] = []
    tools: dict[str, PinnedTool] = {}


@dataclass
class Registered:
    """An entry of the undo list; `ready` are those that a child handed over, `asked` is what policy knew of the step's call."""

    step: str
    known: Literal["pending", "happened", "unknown", "not"]
    undoing: Undoing | None = None
    arguments: Mapping[str, JsonValue] | None = None
    ready: RenderedUndo | None = None
    asked: CallInput | None = None

    def labelled(self, made: RenderedUndo, labels: CodeLabels, tool: PinnedTool | None) -> RenderedUndo:
        """Return a compensation of this entry with where its arguments come from; a child's has that already."""
        if self.undoing is None or self.asked is None or tool is None:
            return made
        fixed, called_with = not callable(self.undoing.arguments), self.arguments or {}
        policy = labels.of_undo(tool, made.arguments, asked=self.asked, called_with=called_with, fixed=fixed)
        return made.model_copy(update={"policy": policy})

    def rendered(self, output: JsonValue, *, visit: int, lane: str) -> RenderedUndo:
        """Return the compensation to run, its arguments made now; `output` is the step's, None when nobody knows it."""
        if self.undoing is None:
            ready = self.ready or RenderedUndo(step=self.step, tool="", known="unknown", if_unknown="ask")
            return ready.model_copy(update={"lane": lane})
        arguments, called_with = self.undoing.arguments, self.arguments or {}
        return RenderedUndo(
            step=self.step,
            visit=visit,
            tool=self.undoing.tool,
            arguments=dict(arguments(Made(arguments=called_with, output=output)) if callable(arguments) else arguments),
            known="happened" if self.known == "happened" else "unknown",
            if_unknown=self.undoing.if_unknown,
            retry=self.undoing.retry,
            lane=lane,
        )


def lost_child(path: str, run: str) -> Registered:
    """Return what stands on the list while a child runs: if it is ended from outside, a person undoes by hand what it did."""
    problem = f"the child run {run} was ended from outside, and what it did is not undone"
    undo = RenderedUndo(step=path, tool=path, known="unknown", if_unknown="compensate", problem=problem)
    return Registered(step=path, known="pending", ready=undo)
