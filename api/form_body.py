"""Reads the body of an HTML form, `application/x-www-form-urlencoded`: size, encoding, and each field once."""

from urllib.parse import parse_qsl

from fastapi import Request

from domain.errors import BadRequest, BodyTooLarge

FORM_BYTES_MAX = 64 * 1024
"""Nine bytes a character at most, so 2,000 characters of comment take 18 KiB."""
FIELDS_MAX = 20
TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> dict[str, str]:
    r"""Return the fields. Line ends are `\n`: browsers send CR LF, whatever the page held.

    Raises:
        BodyTooLarge: over 64 KiB; no more than that is read.
        BadRequest: it is no form, or a field stands twice.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != TYPE:
        raise BadRequest(f"the form must be sent as {TYPE}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise BodyTooLarge(f"the form has more than {FORM_BYTES_MAX} bytes")
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError as error:  # a UnicodeError is one
        raise BadRequest("the form could not be read: it is cut off, or no UTF-8") from error
    fields = {name: value.replace("\r\n", "\n").replace("\r", "\n") for name, value in pairs}
    if len(fields) != len(pairs):
        raise BadRequest("a field of the form stands twice")
    if any("\0" in value for value in fields.values()):
        raise BadRequest("a field of the form holds the character U+0000, which cannot be stored")
    return fields
