"""Tool names as vendors allow them: `flights.lookup` becomes `flights-lookup` and comes back, without collisions."""

import hashlib
import re
from collections.abc import Iterable

from domain.provider import CompletionRequest

VENDOR_NAME_CHARS_MAX = 64
"""Both vendors allow `[a-zA-Z0-9_-]{1,64}` (OpenAI function names; Anthropic allows 128, so 64 fits both)."""

_DOTTED = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_]")
_DIGEST_CHARS = 16
_MARK = "--"


def vendor_tool_name(name: str) -> str:
    """Return the one vendor name of `name`.

    Dotted words swap `.` for `-`, which no dotted word contains. Any other name, and any longer one, ends in `--` and a digest
    of the whole: `--` cannot come from a dotted word, so the two forms never meet.
    """
    if _DOTTED.fullmatch(name) and len(name) <= VENDOR_NAME_CHARS_MAX:
        return name.replace(".", "-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARS]
    readable = _FORBIDDEN.sub("_", name)[: VENDOR_NAME_CHARS_MAX - _DIGEST_CHARS - len(_MARK)]
    return f"{readable}{_MARK}{digest}"


class ToolNames:
    """The names of one request, both ways."""

    def __init__(self, names: Iterable[str]) -> None:
        self._ours = {vendor_tool_name(name): name for name in names}

    @classmethod
    def of(cls, request: CompletionRequest) -> "ToolNames":
        """Return the names of the request's tools and of the calls in its conversation."""
        called = (call.name for message in request.messages for call in message.tool_calls)
        return cls([*(tool.name for tool in request.tools), *called])

    def from_vendor(self, vendor_name: str) -> str:
        """Return our name; a name that the model invented comes back readable, and as a name that no other tool has."""
        known = self._ours.get(vendor_name)
        if known is not None or _MARK in vendor_name:
            return known or vendor_name
        return vendor_name.replace("-", ".")
