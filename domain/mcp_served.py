"""Standfast as an MCP server: which tools it offers, and which request of the gateway each one is. Pure.

Nothing here decides: whoever speaks MCP is a model more often than a person, and approvals are for people (DESIGN §7).
"""

from typing import Final
from urllib.parse import urlencode

from pydantic import JsonValue

from domain.errors import InvalidInput
from domain.model import Value
from domain.schemas import validate

RUN: Final[JsonValue] = {"type": "string", "pattern": "^run_[0-9a-hjkmnp-tv-z]{26}$", "description": "a run's id: run_ and 26 characters"}
WAIT_S_MAX: Final = 30
INSTRUCTIONS: Final = (
    "Standfast runs durable workflows of AI agents. Start a run of a registered definition, look at its status, wait for its result, and"
    " list what waits for people. Approvals are decided by people, in Standfast's own inbox; no tool here decides one."
)


class ServedTool(Value):
    """A tool that we offer; `reads` says that it changes nothing."""

    name: str
    description: str
    input_schema: dict[str, JsonValue]
    reads: bool


class Asked(Value):
    """The request of the gateway that a call stands for; `key` is its Idempotency-Key."""

    method: str
    path: str
    body: dict[str, JsonValue] | None = None
    key: str | None = None


SERVED: Final = (
    ServedTool(
        name="start_run",
        description=(
            "Start a durable run of a registered definition. Give an idempotency_key of your choice: the same key and arguments again"
            " give the same run, so a repeated call starts nothing twice."
        ),
        input_schema={
            "type": "object",
            "properties": {
                "definition": {"type": "string", "maxLength": 200, "description": "its name, or name@version"},
                "input": {"description": "what the definition asks for"},
                "config": {"type": "object", "description": "what to set otherwise than the definition does"},
                "idempotency_key": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
            },
            "required": ["definition", "idempotency_key"],
            "additionalProperties": False,
        },
        reads=False,
    ),
    ServedTool(
        name="run_status",
        description="Show how a run stands: its status, what it waits for, what it has cost.",
        input_schema={"type": "object", "properties": {"run": RUN}, "required": ["run"], "additionalProperties": False},
        reads=True,
    ),
    ServedTool(
        name="run_result",
        description="Return a run's result, or its error; waits up to `wait_s` seconds for its end. A run that goes on has none yet.",
        input_schema={
            "type": "object",
            "properties": {"run": RUN, "wait_s": {"type": "integer", "minimum": 0, "maximum": WAIT_S_MAX}},
            "required": ["run"],
            "additionalProperties": False,
        },
        reads=True,
    ),
    ServedTool(
        name="list_approvals",
        description="List questions that wait for people, oldest first. They are decided by people, in Standfast's inbox.",
        input_schema={
            "type": "object",
            "properties": {"run": RUN, "limit": {"type": "integer", "minimum": 1, "maximum": 100}},
            "additionalProperties": False,
        },
        reads=True,
    ),
)


def checked_call(name: str, arguments: dict[str, JsonValue]) -> None:
    """Refuse a call that no tool of ours could take.

    Raises:
        InvalidInput: no such tool, or arguments that break its schema.
    """
    tool = next((one for one in SERVED if one.name == name), None)
    if tool is None:
        raise InvalidInput(f"there is no tool {name[:60]!r}; there are {', '.join(one.name for one in SERVED)}")
    if problems := validate(tool.input_schema, arguments):
        raise InvalidInput(f"the arguments of {name} break its schema: {'; '.join(problems)}")


def asked(name: str, arguments: dict[str, JsonValue]) -> Asked:
    """Return the request that a call stands for.

    Raises:
        InvalidInput: no such tool, or arguments that break its schema.
    """
    checked_call(name, arguments)
    run = arguments.get("run")
    match name:
        case "start_run":
            body = {part: arguments[part] for part in ("definition", "input", "config") if part in arguments}
            return Asked(method="POST", path="/v1/runs", body=body, key=str(arguments["idempotency_key"]))
        case "run_status":
            return Asked(method="GET", path=f"/v1/runs/{run}")
        case "run_result":
            return Asked(method="GET", path=f"/v1/runs/{run}/result?{urlencode({'wait': arguments.get('wait_s', 0)})}")
        case _:
            query = {"state": "open", "limit": arguments.get("limit", 50)} | ({"run": run} if run is not None else {})
            return Asked(method="GET", path=f"/v1/approvals?{urlencode(query)}")
