"""A tool call as Cedar sees it: principal, action, resource, context, and the entities they name."""

import json
from collections.abc import Iterator
from typing import NamedTuple, Self

from pydantic import JsonValue

from domain.labels import leaves
from domain.policy import PolicyRequest

TEXT_CHARS_MAX = 64 * 1024
"""A longer argument is left out, so that no policy can be slowed down by it; a policy that reads it then permits nothing."""
LONG_MAX = 2**63 - 1
"""Cedar's whole numbers are 64-bit integers; larger ones are left out."""

ARGUMENTS = "arguments"
"""The id of the entities whose tags are the call's arguments."""
_READS_TAGS = "Tag"
"""What stands in the text of every set that reads arguments: Cedar reads a tag by `hasTag` and `getTag` alone."""


def reads_arguments(policies: str) -> bool:
    """Whether a policy of this text may read the arguments of a call."""
    return _READS_TAGS in policies


class Question(NamedTuple):
    """All that the engine is asked with: the requests, as they are and as they would be once approved, and the entities they name."""

    requests: list[dict[str, object]]
    entities: list[dict[str, object]]

    @classmethod
    def about(cls, request: PolicyRequest, policies: str) -> Self:
        """Return the question that a call is to a set of policies; of the arguments nothing, where no policy can read them."""
        asked = [request_of(request, approved=approved) for approved in ([True] if request.approved else [False, True])]
        return cls(asked, entities_of(request, arguments=reads_arguments(policies)))

    def text(self) -> str:
        """Return it as one text: two questions are the same if their texts are."""
        return json.dumps(self)


def entities_of(request: PolicyRequest, *, arguments: bool = True) -> list[dict[str, object]]:
    """Return the entities of a request: who calls, the tool with its toolbox, and the arguments, which may be left out."""
    toolbox = request.tool.partition(".")[0]
    found = [_entity("Definition", request.definition)]
    if request.origin == "agent":
        parents = [_uid("Definition", request.definition)]
        if request.registered is not None:
            found.append(_entity("RegisteredAgent", request.registered))
            parents.append(_uid("RegisteredAgent", request.registered))
        found.append(_entity("Agent", _agent(request), parents=parents))
    found.append(_entity("Toolbox", toolbox))
    attributes = {"version": request.version, "kind": request.kind}
    found.append(_entity("Tool", request.tool, attributes=attributes, parents=[_uid("Toolbox", toolbox)]))
    given = list(_arguments(request.arguments)) if arguments else []
    for kind, of in (("Texts", str), ("Numbers", int), ("Flags", bool)):
        found.append(_entity(kind, ARGUMENTS, tags={name: value for name, value in given if type(value) is of}))
    return found


def request_of(request: PolicyRequest, *, approved: bool) -> dict[str, object]:
    """Return the request, as it is or as it would be once a person has approved it."""
    principal = _uid("Agent", _agent(request)) if request.origin == "agent" else _uid("Definition", request.definition)
    return {
        "principal": principal,
        "action": _uid("Action", request.effect_class.value),
        "resource": _uid("Tool", request.tool),
        "context": {
            "approved": approved,
            "origin": request.origin,
            "user": request.principal,
            "roles": list(request.roles),
            "sources": sorted({*request.taint, *(label for labels in request.labels.values() for label in labels)}),
            "steered": request.steered,
            "text": {"__entity": _uid("Texts", ARGUMENTS)},
            "number": {"__entity": _uid("Numbers", ARGUMENTS)},
            "flag": {"__entity": _uid("Flags", ARGUMENTS)},
        },
    }


def _agent(request: PolicyRequest) -> str:
    return request.agent or f"{request.definition}/{request.step}"


def _arguments(arguments: dict[str, JsonValue]) -> Iterator[tuple[str, str | int]]:
    for name, value in leaves(arguments):
        if isinstance(value, str | int) and _kept(value):
            yield name, value


def _kept(value: str | int) -> bool:
    return len(value) <= TEXT_CHARS_MAX if isinstance(value, str) else -LONG_MAX <= value <= LONG_MAX


def _uid(kind: str, name: str) -> dict[str, str]:
    return {"type": kind, "id": name}


def _entity(
    kind: str,
    name: str,
    *,
    attributes: dict[str, str] | None = None,
    parents: list[dict[str, str]] | None = None,
    tags: dict[str, str | int] | None = None,
) -> dict[str, object]:
    return {"uid": _uid(kind, name), "attrs": attributes or {}, "parents": parents or [], "tags": tags or {}}
