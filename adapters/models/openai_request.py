"""A completion request as the Responses API of OpenAI and Azure takes it. Prompts are cached by the vendor itself, prefix by prefix."""

import json
from typing import Literal, NotRequired, TypedDict

from openai.types.responses import (
    EasyInputMessageParam,
    FunctionToolParam,
    ResponseFunctionToolCallParam,
    ResponseInputItemParam,
    ResponseInputMessageContentListParam,
    ResponseInputParam,
    ResponseTextConfigParam,
)
from openai.types.responses.response_input_param import FunctionCallOutput

from adapters.models.attachments import data_url, file_name, shown, text_of
from adapters.models.output_schemas import instructions_with_schema, is_enforceable
from adapters.models.tool_arguments import echoed_arguments
from adapters.models.tool_names import vendor_tool_name
from domain.provider import CompletionRequest, Message

_OUTPUT_TOKENS_MIN = 16
"""The API refuses a smaller `max_output_tokens` (Responses API reference)."""


class ResponsesCall(TypedDict):
    """Keyword arguments of `responses.create`."""

    model: str
    input: ResponseInputParam
    max_output_tokens: int
    store: bool
    instructions: NotRequired[str]
    tools: NotRequired[list[FunctionToolParam]]
    text: NotRequired[ResponseTextConfigParam]
    temperature: NotRequired[float]
    parallel_tool_calls: NotRequired[bool]


def responses_call(request: CompletionRequest) -> ResponsesCall:
    """Return the call.

    Raises:
        ModelFailed: the model cannot read an attachment.
    """
    call = ResponsesCall(
        model=request.model.partition("/")[2],
        input=[item for message in request.messages for item in _items(message)],
        max_output_tokens=max(_OUTPUT_TOKENS_MIN, request.max_output_tokens),
        store=False,
    )
    schema = request.output_schema if request.output_schema is not None and is_enforceable(request.output_schema) else None
    if instructions := instructions_with_schema(request, enforced=schema is not None):
        call["instructions"] = instructions
    if request.tools:
        call["tools"] = [
            FunctionToolParam(
                type="function",
                name=vendor_tool_name(tool.name),
                description=tool.description,
                parameters=dict(tool.parameters),
                strict=False,
            )
            for tool in request.tools
        ]
        if request.parallel_tools is not None:
            call["parallel_tool_calls"] = request.parallel_tools
    if request.temperature is not None:
        call["temperature"] = request.temperature
    if schema is not None:
        call["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": dict(schema), "strict": True}}
    return call


def _items(message: Message) -> list[ResponseInputItemParam]:
    if message.role == "tool":
        return [FunctionCallOutput(type="function_call_output", call_id=message.vendor_id or "", output=message.text)]
    role: Literal["user", "assistant"] = message.role
    said: list[ResponseInputItemParam] = []
    if message.text or role == "user":
        said.append(EasyInputMessageParam(type="message", role=role, content=_content(message)))
    calls = [
        ResponseFunctionToolCallParam(
            type="function_call", call_id=call.vendor_id, name=vendor_tool_name(call.name), arguments=json.dumps(echoed_arguments(call))
        )
        for call in message.tool_calls
    ]
    return [*said, *calls]


def _content(message: Message) -> str | ResponseInputMessageContentListParam:
    """The text alone, or the attachments before it."""
    if not message.attachments:
        return message.text
    parts: ResponseInputMessageContentListParam = []
    for one, kind in shown(message):
        if kind == "image":
            parts.append({"type": "input_image", "image_url": data_url(one), "detail": "auto"})
        elif kind == "pdf":
            parts.append({"type": "input_file", "filename": file_name(one), "file_data": data_url(one)})
        else:
            parts.append({"type": "input_text", "text": f"{file_name(one)}:\n{text_of(one)}"})
    return [*parts, {"type": "input_text", "text": message.text}]
