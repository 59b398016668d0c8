"""What a fork changes: one step's prompt, model or arguments, and the run's config, applied to the definition's document. Pure.

The changed document is compiled and checked like any other, so a change can read what expressions of the definition may read.
"""

from copy import deepcopy
from typing import cast

from pydantic import JsonValue

from domain.definition_parse import parse_definition
from domain.errors import InvalidInput, UnreachedStep
from domain.model import Value
from domain.registry import DefinitionDraft

Node = dict[str, JsonValue]


class StepChanges(Value):
    """Changes of a fork; None leaves as it is.

    `instructions` (a prompt's text) and `model` are an agent's, `arguments` replace those of a call by name, `config` is laid over the
    parent's.
    """

    instructions: str | None = None
    model: str | None = None
    arguments: Node | None = None
    config: Node | None = None

    def named(self) -> tuple[str, ...]:
        """Return the names of what is changed."""
        return tuple(name for name, value in self.model_dump().items() if value is not None)


class StepChange(Value):
    """The changes of one fork, and its step."""

    at: str
    changes: StepChanges


def changed_definition(definition: DefinitionDraft, changes: list[StepChange]) -> DefinitionDraft:
    """Return the definition with the changes of its forks, the oldest first; config is no part of the document.

    Raises:
        UnreachedStep: there is no such step.
        InvalidInput: the step is of another kind than the change is for.
    """
    document = deepcopy(definition.document)
    for change in changes:
        _apply(document, change)
    return definition.model_copy(update={"document": document})


def _apply(document: Node, change: StepChange) -> None:
    places = parse_definition(document).places
    if change.at not in places:
        raise UnreachedStep(f"there is no step {change.at!r}; the steps are {', '.join(places)}", where="/at")
    body = document
    for key in places[change.at]:
        body = cast("Node", cast("dict[str | int, JsonValue]", body)[key])
    wanted = change.changes
    if wanted.instructions is not None:
        _agent(body, change.at, "instructions")["instructions"] = {"text": wanted.instructions}
    if wanted.model is not None:
        _agent(body, change.at, "model")["model"] = wanted.model
    if wanted.arguments is not None:
        if "call" not in body:
            raise _wrong_kind(change.at, "arguments", "call")
        given = body.get("with", {})
        body["with"] = {**given, **wanted.arguments} if isinstance(given, dict) else wanted.arguments


def _agent(body: Node, at: str, what: str) -> Node:
    agent = body.get("agent")
    if not isinstance(agent, dict):
        raise _wrong_kind(at, what, "agent")
    return agent


def _wrong_kind(at: str, what: str, keyword: str) -> InvalidInput:
    return InvalidInput(f"`{what}` changes a step of the keyword `{keyword}`, and {at!r} is none", where=f"/changes/{what}")
