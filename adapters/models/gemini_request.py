"""A completion request as Gemini's `generateContent` takes it: contents, function declarations, and what a call is configured with."""

import json
from typing import Any, Final, TypedDict

from google.genai.types import (
    AutomaticFunctionCallingConfig,
    Blob,
    Content,
    FunctionCall,
    FunctionDeclaration,
    FunctionResponse,
    GenerateContentConfig,
    Part,
    Tool,
)

from adapters.models.attachments import shown
from adapters.models.output_schemas import instructions_with_schema, is_enforceable
from adapters.models.tool_arguments import echoed_arguments
from adapters.models.tool_names import vendor_tool_name
from domain.provider import CompletionRequest, Message, ModelToolCall

SIGNED: Final = "gemini:"
"""What our signatures of calls begin with; the rest is the vendor's bytes in hexadecimal."""

_UNSIGNED: Final = b"skip_thought_signature_validator"
"""Stands for the signature of a call that another model made ("Thought signatures" of the Gemini API's documentation)."""

_OWN_ID: Final = "call_"
_ONE_CALL: Final = "Call at most one tool in each turn."
"""The API has no option for it."""


class ContentCall(TypedDict):
    """Keyword arguments of `generate_content` and its streaming twin."""

    model: str
    contents: list[Any]  # Any: of `Content`; the SDK's own union names classes of PIL, which is not installed
    config: GenerateContentConfig


def content_call(request: CompletionRequest) -> ContentCall:
    """Return the call. The API takes no schema beside tools, so that an answer's schema is then asked for in words.

    Raises:
        ModelFailed: the model cannot read an attachment.
    """
    schema = request.output_schema
    enforced = schema is not None and is_enforceable(schema) and not request.tools
    told = instructions_with_schema(request, enforced=enforced)
    if request.tools and request.parallel_tools is False:
        told = f"{told}\n\n{_ONE_CALL}" if told else _ONE_CALL
    config = GenerateContentConfig(
        system_instruction=told or None,
        max_output_tokens=request.max_output_tokens,
        temperature=request.temperature,
        automatic_function_calling=AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
    )
    if request.tools:
        declared = [
            FunctionDeclaration(
                name=vendor_tool_name(tool.name), description=tool.description, parameters_json_schema=dict(tool.parameters)
            )
            for tool in request.tools
        ]
        config.tools = [Tool(function_declarations=declared)]
    if enforced:
        config.response_mime_type, config.response_json_schema = "application/json", schema
    return ContentCall(model=request.model.partition("/")[2], contents=_contents(request.messages), config=config)


def _contents(messages: list[Message]) -> list[Content]:
    """Return the turns. One user turn holds all results that answer one model turn, as the API wants it."""
    turns: list[Content] = []
    names: dict[str, str] = {}
    for message in messages:
        names |= {call.vendor_id: vendor_tool_name(call.name) for call in message.tool_calls}
        role, parts = "model" if message.role == "assistant" else "user", _parts(message, names)
        if turns and turns[-1].role == role:
            turns[-1].parts = [*(turns[-1].parts or []), *parts]
        elif parts:
            turns.append(Content(role=role, parts=parts))
    return turns


def _parts(message: Message, names: dict[str, str]) -> list[Part]:
    if message.role == "tool":
        return [Part(function_response=_result(message, names))]
    files = [Part(inline_data=Blob(data=one.content, mime_type=one.media_type)) for one, _kind in shown(message)]
    texts = [Part(text=message.text)] if message.text else []
    return [*files, *texts, *(_called(call, first=place == 0) for place, call in enumerate(message.tool_calls))]


def _called(call: ModelToolCall, *, first: bool) -> Part:
    """The call as the model made it; only the first of a turn is signed."""
    signature = bytes.fromhex(call.signature.removeprefix(SIGNED)) if call.signature.startswith(SIGNED) else None
    given = FunctionCall(id=_given_id(call.vendor_id), name=vendor_tool_name(call.name), args=dict(echoed_arguments(call)))
    return Part(function_call=given, thought_signature=signature or (_UNSIGNED if first else None))


def _result(message: Message, names: dict[str, str]) -> FunctionResponse:
    """A result is an object with `output` or `error` (FunctionResponse of the API's reference)."""
    try:
        value: object = json.loads(message.text)
    except ValueError:
        value = message.text
    id_ = message.vendor_id or ""
    return FunctionResponse(id=_given_id(id_), name=names.get(id_, "unknown"), response={"error" if message.is_error else "output": value})


def _given_id(vendor_id: str) -> str | None:
    """The id as the vendor gave it; one of our own making is not sent back."""
    return None if vendor_id.startswith(_OWN_ID) else vendor_id
