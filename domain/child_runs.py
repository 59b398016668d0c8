"""The port by which a run starts another. Pure."""

from typing import Protocol

from pydantic import JsonValue

from domain.labels import Label
from domain.model import Value

DEPTH_MAX = 5
"""A run that a run started may start others, so deep and no deeper."""


class ChildRequest(Value):
    """A run to start: `key` is the asking effect's outside key, so that asking again finds the same run.

    `labels` say where what lies behind its input comes from; the run keeps them.
    """

    tenant: str
    parent: str
    key: str
    definition: str
    version: str | None = None
    input: JsonValue = None
    correlation_id: str
    labels: list[Label] = []


class ChildRun(Value):
    """A run that was started, or found."""

    run: str
    definition: str
    version: str
    status: str


class ChildRuns(Protocol):
    """Starts runs for runs: of the same tenant, for the same principal, within the budgets of the tenant and of their definitions."""

    async def start(self, request: ChildRequest) -> ChildRun:
        """Start one.

        Raises:
            ToolFailed: there is no such definition, its input breaks its schema, or runs are nested too deeply.
            ToolUnavailable: not now.
        """
        ...
