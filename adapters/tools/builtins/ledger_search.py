"""The tool `ledger.search`: entries of a run's ledger, by default of the run that asks; never of another tenant."""

import json
from typing import cast

from pydantic import JsonValue

from domain.effects import EffectClass
from domain.errors import NotFound, ToolFailed
from domain.ledger import StoredEntry
from domain.stores import LedgerReader
from domain.tools import ToolCall, ToolSpec

ENTRIES_MAX = 100
READ_MAX = 5000
"""How many entries one call looks through."""


class LedgerSearch:
    """`ledger.search` 1.0.0."""

    def __init__(self, ledger: LedgerReader | None) -> None:
        self._ledger = ledger

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return ToolSpec(
            name="ledger.search",
            version="1.0.0",
            description=(
                "Lists entries of a run's ledger in order: what happened, when, in which step. Without `run` it is this run's. "
                "`kind` may end in *, such as agent:tool:*. Contents are not shown, only what was done."
            ),
            input_schema={
                "type": "object",
                "properties": {
                    "run": {"type": "string", "maxLength": 64},
                    "kind": {"type": "string", "maxLength": 80, "pattern": "^[a-z_:]+\\*?$"},
                    "step": {"type": "string", "maxLength": 200},
                    "after": {"type": "integer", "minimum": 0},
                    "limit": {"type": "integer", "minimum": 1, "maximum": ENTRIES_MAX},
                },
                "additionalProperties": False,
            },
            output_schema={
                "type": "object",
                "properties": {"run": {"type": "string"}, "entries": {"type": "array"}, "next": {"type": ["integer", "null"]}},
                "required": ["run", "entries", "next"],
                "additionalProperties": False,
            },
            effect_class=EffectClass.READ,
            timeout_s=20.0,
            docs="docs/tools-builtin.md#ledgersearch",
        )

    async def call(self, call: ToolCall) -> JsonValue:
        """Look.

        Raises:
            ToolFailed: the tenant has no such run.
        """
        if self._ledger is None:
            raise ToolFailed("this process reads no ledger")
        run, given = str(call.arguments.get("run") or call.run), call.arguments.get("limit")
        limit, after = given if isinstance(given, int) else 50, call.arguments.get("after")
        begin = after if isinstance(after, int) else 0
        try:
            entries = await self._ledger.entries(call.tenant, run, after=begin, limit=READ_MAX)
        except NotFound as error:
            raise ToolFailed(f"there is no run {run[:64]}", where="/run") from error
        found = [entry for entry in entries if _fits(entry, call.arguments)]
        shown, last = found[:limit], entries[-1].seq if len(entries) == READ_MAX else None
        return {"run": run, "entries": [_shown(entry) for entry in shown], "next": shown[-1].seq if len(found) > limit else last}


def _fits(entry: StoredEntry, arguments: dict[str, JsonValue]) -> bool:
    kind, step = str(arguments.get("kind") or "*"), arguments.get("step")
    of_kind = entry.kind.startswith(kind[:-1]) if kind.endswith("*") else entry.kind == kind
    return of_kind and (step is None or entry.step == step)


def _shown(entry: StoredEntry) -> JsonValue:
    body = cast("dict[str, JsonValue]", json.loads(entry.body))
    named = {name: body.get(name) for name in ("at", "visit", "call", "attempt", "data")}
    return {"seq": entry.seq, "kind": entry.kind, "step": entry.step, "hash": entry.hash.hex(), **named}
