"""The tool `run.start`: a run starts another, for the same principal within the budgets of the tenant and of its definition."""

from pydantic import JsonValue

from domain.child_runs import ChildRequest, ChildRuns
from domain.effects import EffectClass
from domain.errors import ToolFailed
from domain.tools import ToolCall, ToolSpec


class RunStart:
    """`run.start` 1.0.0. Asking again with the same effect finds the run that was started, so it may be repeated."""

    def __init__(self, runs: ChildRuns | None) -> None:
        self._runs = runs

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return ToolSpec(
            name="run.start",
            version="1.0.0",
            description="Starts a run of a registered definition and returns its id; it does not wait for the result.",
            input_schema={
                "type": "object",
                "properties": {
                    "definition": {"type": "string", "minLength": 1, "maxLength": 100},
                    "version": {"type": "string", "maxLength": 50, "description": "a version or a range such as ^1; the newest without it"},
                    "input": {},
                },
                "required": ["definition"],
                "additionalProperties": False,
            },
            output_schema={
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("run", "definition", "version", "status")},
                "required": ["run", "definition", "version", "status"],
                "additionalProperties": False,
            },
            effect_class=EffectClass.WRITE,
            timeout_s=30.0,
            sensitive_arguments=("definition",),
            trust="trusted",
            docs="docs/tools-builtin.md#runstart",
        )

    async def call(self, call: ToolCall) -> JsonValue:
        """Start it.

        Raises:
            ToolFailed: there is no such definition, or runs are nested too deeply.
            ToolUnavailable: not now.
        """
        if self._runs is None:
            raise ToolFailed("this process starts no runs")
        version = call.arguments.get("version")
        started = await self._runs.start(
            ChildRequest(
                tenant=call.tenant,
                parent=call.run,
                key=call.idempotency_key,
                definition=str(call.arguments["definition"]),
                version=version if isinstance(version, str) else None,
                input=call.arguments.get("input"),
                correlation_id=call.correlation_id,
                labels=list(call.labels),
            )
        )
        return started.model_dump(mode="json")
