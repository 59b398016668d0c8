"""A completion request as Anthropic's Messages API takes it; Bedrock takes the same.

Prompt caching: the vendor keeps what stands before a mark for five minutes, and reads it at a tenth of the price when it comes again
("Prompt caching" of Anthropic's documentation). One mark stands behind tools and instructions, which all runs of a definition share, and
one behind the last message where a next turn is likely, so that each turn reads what the one before it wrote.
"""

from typing import Final, Literal, NotRequired, TypedDict, cast

from anthropic import transform_schema
from anthropic.types import (
    AssistantMessageParam,
    CacheControlEphemeralParam,
    DocumentBlockParam,
    ImageBlockParam,
    MessageParam,
    OutputConfigParam,
    TextBlockParam,
    ToolChoiceAutoParam,
    ToolParam,
    ToolResultBlockParam,
    ToolUseBlockParam,
    UserMessageParam,
)

from adapters.models.attachments import encoded, shown, text_of
from adapters.models.output_schemas import instructions_with_schema, is_enforceable
from adapters.models.tool_arguments import echoed_arguments
from adapters.models.tool_names import vendor_tool_name
from domain.provider import Attachment, CompletionRequest, Message

Block = TextBlockParam | ToolUseBlockParam | ToolResultBlockParam | ImageBlockParam | DocumentBlockParam

_KEPT: Final = CacheControlEphemeralParam(type="ephemeral")


class MessagesCall(TypedDict):
    """Keyword arguments of `messages.create`."""

    model: str
    max_tokens: int
    messages: list[MessageParam]
    system: NotRequired[list[TextBlockParam]]
    tools: NotRequired[list[ToolParam]]
    tool_choice: NotRequired[ToolChoiceAutoParam]
    output_config: NotRequired[OutputConfigParam]


def messages_call(request: CompletionRequest) -> MessagesCall:
    """Return the call.

    Raises:
        ModelFailed: the model cannot read an attachment.
    """
    output_format = _output_format(request)
    call = MessagesCall(
        model=request.model.partition("/")[2],
        max_tokens=request.max_output_tokens,
        messages=_conversation(request.messages, kept=bool(request.tools)),
    )
    if system := instructions_with_schema(request, enforced=output_format is not None):
        call["system"] = [TextBlockParam(type="text", text=system, cache_control=_KEPT)]
    if request.tools:
        call["tools"] = [
            ToolParam(name=vendor_tool_name(tool.name), description=tool.description, input_schema=dict(tool.parameters))
            for tool in request.tools
        ]
        if request.parallel_tools is False:
            call["tool_choice"] = ToolChoiceAutoParam(type="auto", disable_parallel_tool_use=True)
    if output_format is not None:
        call["output_config"] = output_format
    return call


def _output_format(request: CompletionRequest) -> OutputConfigParam | None:
    if request.output_schema is None or not is_enforceable(request.output_schema):
        return None
    return OutputConfigParam(format={"type": "json_schema", "schema": transform_schema(dict(request.output_schema))})


def _conversation(messages: list[Message], *, kept: bool) -> list[MessageParam]:
    """Return the turns; with `kept` the last block is marked.

    One user turn holds all results that answer one assistant turn: the API refuses results spread over turns.
    """
    turns: list[UserMessageParam | AssistantMessageParam] = []
    blocks_of_turn: list[Block] = []
    for message in messages:
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message)
        if turns and turns[-1]["role"] == role:
            blocks_of_turn.extend(blocks)
        elif blocks:
            blocks_of_turn = blocks
            model_speaks = message.role == "assistant"
            turns.append(
                AssistantMessageParam(role="assistant", content=blocks) if model_speaks else UserMessageParam(role="user", content=blocks)
            )
    if kept and blocks_of_turn:
        blocks_of_turn[-1]["cache_control"] = _KEPT
    return [*turns]


def _blocks(message: Message) -> list[Block]:
    if message.role == "tool":
        return [
            ToolResultBlockParam(type="tool_result", tool_use_id=message.vendor_id or "", content=message.text, is_error=message.is_error)
        ]
    files: list[Block] = [_attached(one, kind) for one, kind in shown(message)]
    # The API refuses blocks of white space only.
    texts: list[Block] = [TextBlockParam(type="text", text=message.text)] if message.text.strip() else []
    calls = [
        ToolUseBlockParam(type="tool_use", id=call.vendor_id, name=vendor_tool_name(call.name), input=dict(echoed_arguments(call)))
        for call in message.tool_calls
    ]
    return [*files, *texts, *calls]


def _attached(attachment: Attachment, kind: str) -> ImageBlockParam | DocumentBlockParam:
    if kind == "text":
        return DocumentBlockParam(type="document", source={"type": "text", "media_type": "text/plain", "data": text_of(attachment)})
    if kind == "pdf":
        return DocumentBlockParam(type="document", source={"type": "base64", "media_type": "application/pdf", "data": encoded(attachment)})
    return ImageBlockParam(type="image", source={"type": "base64", "media_type": _image_type(attachment), "data": encoded(attachment)})


def _image_type(attachment: Attachment) -> Literal["image/jpeg", "image/png", "image/gif", "image/webp"]:
    return cast("Literal['image/jpeg', 'image/png', 'image/gif', 'image/webp']", attachment.media_type)
