"""Arguments that choose a recipient, URL, amount, command or query, known by their names where a declaration says nothing. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, cast

from pydantic import JsonValue

from domain.effects import EffectClass

DEPTH_MAX: Final = 4
"""How deep an input schema is looked through; deeper arguments are named by the one that holds them."""
URL_NAMES: Final = re.compile(r"(^|_)(url|uri|href|link|callback|webhook|endpoint)s?$")
SENSITIVE_NAMES: Final = re.compile(
    r"(^|_)(amount|recipient|to|iban|account|payee|beneficiary|address|email|command|cmd|query|sql|script|price|currency)(_|$)"
)
"""Arguments that choose a recipient, an amount, a command or a query."""

Schema = dict[str, JsonValue]


def plain_name(name: str) -> str:
    """Return an argument's name in lower case with underscores between its words: `payeeIBAN` is `payee_iban`."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name))
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_")


def sensitive_of(declared: Sequence[str] | None, effect: EffectClass, schema: Schema) -> tuple[str, ...]:
    """Return the arguments that no untrusted source may choose: those declared, or, without a word on it, those known by their names.

    A tool that changes nothing has none by name: what it reads goes nowhere by itself.
    """
    if declared is not None:
        return tuple(declared)
    return tuple(_named(schema, "", DEPTH_MAX)) if effect.changes_world else ()


def _named(schema: Schema, inside: str, depth: int) -> Iterator[str]:
    properties = schema.get("properties")
    for name, inner in (properties if isinstance(properties, dict) else {}).items():
        dotted, word = f"{inside}{name}", plain_name(name)
        if "." in name:  # a dotted path could not tell it from what lies deeper
            continue
        if SENSITIVE_NAMES.search(word) or URL_NAMES.search(word):
            yield dotted
        elif depth > 1 and isinstance(inner, dict):
            items = inner.get("items")
            yield from _named(cast("Schema", items if isinstance(items, dict) else inner), f"{dotted}.", depth - 1)
