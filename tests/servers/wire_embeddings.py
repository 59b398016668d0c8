"""`POST /v1/embeddings` as OpenAI documents it, with vectors that know a few words which mean the same.

A real model would put "automobile" near "car"; this one has a short list of such words, so that a test can tell meaning from spelling.
"""

import hashlib
import math
import re
import struct
from base64 import b64encode
from typing import cast

from tests.servers.model_answers import Answer
from tests.servers.model_wires import Body, ChatWire, Event

DIMENSIONS = 64
"""How long vectors are unless the request says otherwise."""
TEXTS_MAX = 2048
TEXT_CHARS_MAX = 6000
"""More is over the context of the model."""
_ALIKE: dict[str, str] = {
    **dict.fromkeys(("car", "automobile", "vehicle"), "car"),
    **dict.fromkeys(("broke", "failed", "defect"), "failure"),
    **dict.fromkeys(("refund", "reimbursement", "repaid"), "refund"),
}


class EmbeddingsWire:
    """The protocol; `Answer.body` replaces what it would say, and `Answer.text` is not used."""

    def whole(self, answer: Answer, request: Body) -> Body:
        """Return a `list` of `embedding` objects, as base64 of little-endian floats of 32 bits where that is asked for."""
        texts = _texts(request)
        length = cast("int", request.get("dimensions") or DIMENSIONS)
        encoded = request.get("encoding_format") == "base64"
        data: list[object] = [
            {"object": "embedding", "index": place, "embedding": _packed(vector) if encoded else vector}
            for place, vector in enumerate(meaning_of(text, length) for text in texts)
        ]
        usage = {"prompt_tokens": answer.input_tokens, "total_tokens": answer.input_tokens}
        return {"object": "list", "data": data, "model": request["model"], "usage": usage}

    def events(self, answer: Answer, request: Body) -> list[Event]:
        """Return none: vectors do not stream."""
        del answer, request
        return []

    def error_event(self, answer: Answer) -> Event:
        """Return what never comes."""
        return ChatWire().error_event(answer)

    def error_body(self, status: int, message: str) -> Body:
        """Return the `error` object, as chat completions have it."""
        return ChatWire().error_body(status, message)

    def objection(self, request: Body) -> str | None:
        """Return what the API refuses: no texts, empty ones, too many, too long, an unknown encoding."""
        texts = _texts(request)
        if not texts or len(texts) > TEXTS_MAX or not all(texts):
            return "'$.input' is invalid"
        if request.get("encoding_format", "float") not in ("float", "base64"):
            return "'$.encoding_format' is invalid"
        longest = max(map(len, texts))
        return f"This model's maximum context length is {TEXT_CHARS_MAX}, you requested {longest}" if longest > TEXT_CHARS_MAX else None


def meaning_of(text: str, length: int) -> list[float]:
    """Return the vector of a text, of length 1: its words at the places of what they mean."""
    sums = [0.0] * length
    for word in cast("list[str]", re.findall(r"\w+", text.lower())) or [""]:
        digest = hashlib.sha256(_ALIKE.get(word, word).encode()).digest()
        sums[int.from_bytes(digest[:4], "big") % length] += 1.0
    size = math.sqrt(sum(value * value for value in sums))
    return [value / size for value in sums]


def _texts(request: Body) -> list[str]:
    given = request.get("input")
    texts = cast("list[object]", given) if isinstance(given, list) else [given]
    return [text for text in texts if isinstance(text, str)]


def _packed(vector: list[float]) -> str:
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
