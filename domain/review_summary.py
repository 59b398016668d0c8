"""What a reviewer sees before deciding: the calls that will run, argument by argument. Pure.

The page of a signed link, mails and chat messages all show this one value, so that none of them shows less than another.
"""

import json
from collections.abc import Iterator
from datetime import datetime

from pydantic import JsonValue

from domain.model import Value
from domain.runs import ApprovalProjection

UNBOUND = "not known yet: a later step gives it"
"""Stands in place of a value that nobody approves."""


class ShownArgument(Value):
    """One value of a call: where it stands (`claim.passenger`, `items[2]`), and its JSON. `bound` is false for one given later."""

    place: str
    text: str
    bound: bool = True


class ShownCall(Value):
    """One call as it will run."""

    step: str
    tool: str
    version: str
    arguments: tuple[ShownArgument, ...]


class ReviewSummary(Value):
    """An approval for its reviewer. Times are RFC 3339 UTC; money is integer micro-USD, None where it is not known."""

    approval: str
    run: str
    definition: str
    step: str
    title: str
    digest: str
    requester: str
    opened_at: str
    deadline: str | None
    calls: tuple[ShownCall, ...]
    cost_usd_micros: int | None = None


def summary_of(
    approval: ApprovalProjection, *, run: str, definition: str, cost_usd_micros: int | None = None, requester: str | None = None
) -> ReviewSummary:
    """Return what is shown of an approval; `requester` is a name for the principal, where there is one."""
    return ReviewSummary(
        approval=approval.approval,
        run=run,
        definition=definition,
        step=approval.step,
        title=approval.title,
        digest=approval.digest,
        requester=requester or approval.requester,
        opened_at=approval.opened_at,
        deadline=approval.deadline,
        calls=tuple(_call(call, approval.unbound) for call in approval.calls),
        cost_usd_micros=cost_usd_micros,
    )


def _call(call: dict[str, JsonValue], unbound: list[str]) -> ShownCall:
    step, arguments = str(call.get("step", "")), call.get("arguments")
    later = [name.removeprefix(f"{step}.") for name in unbound if name.startswith(f"{step}.")]
    known = tuple(ShownArgument(place=place, text=text) for place, text in _flat("", arguments if isinstance(arguments, dict) else {}))
    shown = (*known, *(ShownArgument(place=name, text=UNBOUND, bound=False) for name in later))
    return ShownCall(step=step, tool=str(call.get("tool", "")), version=str(call.get("version", "")), arguments=shown)


def _flat(place: str, value: JsonValue) -> Iterator[tuple[str, str]]:
    """Yield every leaf with its place; an empty object or list is a leaf, unless it is all there is."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(_under(place, name), inner)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _flat(f"{place}[{number}]", inner)
    elif place:
        yield place, json.dumps(value, ensure_ascii=False)


def _under(place: str, name: str) -> str:
    """Return the place of a member; a name that could be read as a place of its own is quoted."""
    plain = name.replace("_", "").replace("-", "").isalnum()
    return (f"{place}.{name}" if place else name) if plain else f"{place}[{json.dumps(name, ensure_ascii=False)}]"


def dollars(micros: int) -> str:
    """Return micro-USD as dollars, down to what was spent: `$0.25`, `$0.001234`."""
    whole, rest = divmod(micros, 1_000_000)
    cents = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"${whole:,}.{cents}"


def moment(instant: str | None) -> str:
    """Return an instant for people, to the minute, in UTC; empty for none."""
    return "" if instant is None else f"{datetime.fromisoformat(instant):%A, %d %B %Y, %H:%M} UTC"
