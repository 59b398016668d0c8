"""A completion request as chat completions take it, which nearly every server speaks; such servers cache prompts by themselves or not."""

import json
from typing import NotRequired, TypedDict

from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionContentPartParam,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageFunctionToolCallParam,
    ChatCompletionMessageParam,
    ChatCompletionSystemMessageParam,
    ChatCompletionToolMessageParam,
    ChatCompletionUserMessageParam,
)
from openai.types.shared_params import ResponseFormatJSONSchema

from adapters.models.attachments import data_url, file_name, shown, text_of
from adapters.models.output_schemas import instructions_with_schema, is_enforceable
from adapters.models.tool_arguments import echoed_arguments
from adapters.models.tool_names import vendor_tool_name
from domain.provider import CompletionRequest, Message


class ChatCall(TypedDict):
    """Keyword arguments of `chat.completions.create`."""

    model: str
    messages: list[ChatCompletionMessageParam]
    max_tokens: int
    tools: NotRequired[list[ChatCompletionFunctionToolParam]]
    response_format: NotRequired[ResponseFormatJSONSchema]
    temperature: NotRequired[float]
    parallel_tool_calls: NotRequired[bool]


def chat_call(request: CompletionRequest) -> ChatCall:
    """Return the call.

    Raises:
        ModelFailed: the model cannot read an attachment.
    """
    schema = request.output_schema if request.output_schema is not None and is_enforceable(request.output_schema) else None
    instructions = instructions_with_schema(request, enforced=schema is not None)
    system = [ChatCompletionSystemMessageParam(role="system", content=instructions)] if instructions else []
    call = ChatCall(
        model=request.model.partition("/")[2],
        messages=[*system, *map(_message, request.messages)],
        max_tokens=request.max_output_tokens,
    )
    if request.tools:
        call["tools"] = [
            {
                "type": "function",
                "function": {"name": vendor_tool_name(tool.name), "description": tool.description, "parameters": dict(tool.parameters)},
            }
            for tool in request.tools
        ]
        if request.parallel_tools is not None:
            call["parallel_tool_calls"] = request.parallel_tools
    if request.temperature is not None:
        call["temperature"] = request.temperature
    if schema is not None:
        call["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema), "strict": True}}
    return call


def _message(message: Message) -> ChatCompletionMessageParam:
    if message.role == "tool":
        return ChatCompletionToolMessageParam(role="tool", tool_call_id=message.vendor_id or "", content=message.text)
    if message.role == "user":
        return ChatCompletionUserMessageParam(role="user", content=_content(message))
    said = ChatCompletionAssistantMessageParam(role="assistant", content=message.text)
    if message.tool_calls:
        said["tool_calls"] = [
            ChatCompletionMessageFunctionToolCallParam(
                id=call.vendor_id,
                type="function",
                function={"name": vendor_tool_name(call.name), "arguments": json.dumps(echoed_arguments(call))},
            )
            for call in message.tool_calls
        ]
    return said


def _content(message: Message) -> str | list[ChatCompletionContentPartParam]:
    """The text alone, or the attachments before it."""
    if not message.attachments:
        return message.text
    parts: list[ChatCompletionContentPartParam] = []
    for one, kind in shown(message):
        if kind == "image":
            parts.append({"type": "image_url", "image_url": {"url": data_url(one)}})
        elif kind == "pdf":
            parts.append({"type": "file", "file": {"filename": file_name(one), "file_data": data_url(one)}})
        else:
            parts.append({"type": "text", "text": f"{file_name(one)}:\n{text_of(one)}"})
    return [*parts, {"type": "text", "text": message.text}]
