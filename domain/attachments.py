"""Images and files that an agent is shown: where a definition says they are, and what they are once their payload is read. Pure.

A definition names a place in the run's input or in an earlier step's output. Only the place travels; the bytes stay in their payload until
the activity that calls the model reads it. What lies there is `{media_type, data, name}` with `data` in base64, or a list of such.
"""

import base64
import binascii
from typing import Final

from pydantic import JsonValue

from domain.errors import InvalidInput
from domain.model import Wire
from domain.projection import part_at
from domain.provider import Attachment

INPUT: Final = "input"
"""Stands for a payload's reference where the run's own input is meant."""
ATTACHMENTS_MAX: Final = 20
"""Most files of one message; the vendors' limits on images lie between 20 and 500."""
BYTES_MAX: Final = 20 * 1024 * 1024
"""Most bytes of one message's files: below the vendors' limits on a request (Gemini: 20 MB), before base64."""


class AttachmentPlace(Wire):
    """Where a file lies: in the payload `ref` (or `input`), at the dotted `path`."""

    ref: str
    path: str = ""


def place_of(source: str) -> tuple[str | None, str] | None:
    """Return (step, path) of `input.<path>` (step None) or `steps.<step>.output.<path>`; None when it is neither."""
    root, _, rest = source.partition(".")
    if root == INPUT:
        return None, rest
    step, output, path = rest.partition(".output")
    if root != "steps" or not step or not output or (path and not path.startswith(".")):
        return None
    return step, path.removeprefix(".")


def read_attachments(place: AttachmentPlace, payload: JsonValue) -> list[Attachment]:
    """Return the files at a place of a payload, with their bytes; nothing when there is nothing.

    Raises:
        InvalidInput: what lies there is no file, or base64 that cannot be read.
    """
    value = part_at(payload, place.path)
    if value is None:
        return []
    if isinstance(value, list):
        return [_attachment(one, place.ref, f"{place.path}.{index}".lstrip(".")) for index, one in enumerate(value)]
    return [_attachment(value, place.ref, place.path)]


def check_size(attachments: list[Attachment]) -> None:
    """Refuse more than a model can be shown at once.

    Raises:
        InvalidInput: they are too many, or too large together.
    """
    size = sum(len(one.content or b"") for one in attachments)
    if len(attachments) > ATTACHMENTS_MAX or size > BYTES_MAX:
        raise InvalidInput(
            f"a message shows at most {ATTACHMENTS_MAX} files of {BYTES_MAX} bytes together; these are {len(attachments)} of {size} bytes"
        )


def _attachment(value: JsonValue, ref: str, path: str) -> Attachment:
    where = path or "the whole payload"
    if not isinstance(value, dict) or not isinstance(value.get("media_type"), str) or not isinstance(value.get("data"), str):
        raise InvalidInput(f"what lies at {where} is no file: give {{media_type, data}} with the data in base64")
    try:
        content = base64.b64decode(str(value["data"]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"the data of the file at {where} is no base64") from error
    name = value.get("name")
    said = name if isinstance(name, str) else ""
    return Attachment(ref=ref, path=path, media_type=str(value["media_type"]), name=said, content=content)
