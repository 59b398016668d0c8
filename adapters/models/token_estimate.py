"""Tokens where no vendor counts them: four characters to a token, rounded up, as both vendors' guides say of English text."""

from domain.provider import CompletionRequest, ModelToolCall

CHARS_PER_TOKEN = 4


def estimated_input_tokens(request: CompletionRequest) -> int:
    """Return the estimate for all the model reads: instructions, messages with their tool calls, tools, output schema."""
    pieces = [request.instructions, *(message.text for message in request.messages)]
    pieces += [call.model_dump_json() for message in request.messages for call in message.tool_calls]
    pieces += [tool.model_dump_json() for tool in request.tools]
    schema = "" if request.output_schema is None else str(request.output_schema)
    return _tokens(sum(map(len, pieces)) + len(schema))


def estimated_output_tokens(text: str, tool_calls: list[ModelToolCall]) -> int:
    """Return the estimate for all the model writes."""
    return _tokens(len(text) + sum(len(call.model_dump_json(include={"name", "arguments", "raw_arguments"})) for call in tool_calls))


def _tokens(chars: int) -> int:
    return -(-chars // CHARS_PER_TOKEN)
