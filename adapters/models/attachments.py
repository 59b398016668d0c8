"""Images and files of a message as vendors take them; what the vendor does not read fails here, before anything is sent."""

import base64
from collections.abc import Iterator
from typing import Final, Literal

from domain.errors import ModelFailed
from domain.provider import Attachment, Message

IMAGE_TYPES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Images that every vendor here reads (vision guides of Anthropic, OpenAI and the Gemini API)."""


def shown(message: Message) -> Iterator[tuple[Attachment, Literal["image", "pdf", "text"]]]:
    """Give the attachments of a message with their kind.

    Raises:
        ModelFailed: one was not resolved, or is of a kind that models do not read.
    """
    for one in message.attachments:
        if one.content is None:
            raise ModelFailed(f"the attachment {one.name or one.ref} was not resolved")
        if one.media_type in IMAGE_TYPES:
            yield one, "image"
        elif one.media_type == "application/pdf":
            yield one, "pdf"
        elif one.media_type.startswith("text/"):
            yield one, "text"
        else:
            raise ModelFailed(f"models do not read {one.media_type}: give {', '.join(IMAGE_TYPES)}, application/pdf or a text")


def encoded(attachment: Attachment) -> str:
    """Return its bytes in base64."""
    return base64.b64encode(attachment.content or b"").decode()


def text_of(attachment: Attachment) -> str:
    """Return a text file's text; bytes that are no UTF-8 are replaced."""
    return (attachment.content or b"").decode("utf-8", "replace")


def data_url(attachment: Attachment) -> str:
    """Return it as a `data:` URL."""
    return f"data:{attachment.media_type};base64,{encoded(attachment)}"


def file_name(attachment: Attachment) -> str:
    """Return a name for it; OpenAI wants one with every file."""
    return attachment.name or f"{attachment.ref[:12]}.{'pdf' if attachment.media_type == 'application/pdf' else 'txt'}"
