"""Calls a built-in tool as the platform does: arguments and answer are held against its schemas."""

from pydantic import JsonValue

from domain.schemas import validate, validate_output
from domain.tools import Tool, ToolCall
from tests.adapters.tools.tool_calls import tool_call


def call_of(tool: Tool, arguments: dict[str, JsonValue], *, agent: str | None = None, key: str = "k" * 64) -> ToolCall:
    """Return a call of the tool."""
    return tool_call(arguments, tool=tool.spec.name).model_copy(update={"agent": agent, "idempotency_key": key})


async def called(tool: Tool, **arguments: JsonValue) -> dict[str, JsonValue]:
    """Call the tool and return its answer, which fits its schema."""
    assert validate(tool.spec.input_schema, arguments) == []
    result = await tool.call(call_of(tool, arguments))
    assert validate_output(tool.spec, result) == []
    assert isinstance(result, dict)
    return result
