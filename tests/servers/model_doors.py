"""Where each vendor's calls come in: path, key, what the path says of the request, and how a stream is framed."""

import hashlib
import hmac
import json
import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from tests.servers.model_wires import AnthropicWire, Body, ChatWire, Event, ResponsesWire, Wire
from tests.servers.wire_bedrock import BedrockWire
from tests.servers.wire_embeddings import EmbeddingsWire
from tests.servers.wire_gemini import GeminiWire

ACCESS_KEY_ID = "AKIATESTONLY"
"""The access key that signs requests to Bedrock; its secret is the server's key."""


@dataclass(frozen=True)
class Call:
    """A request as it came in; `path` has its query."""

    path: str
    headers: dict[str, str]
    raw: bytes


def bearer(call: Call, key: str) -> bool:
    """A bearer token, or Anthropic's own header."""
    return key in (call.headers.get("x-api-key"), call.headers.get("authorization", "").removeprefix("Bearer "))


def azure_key(call: Call, key: str) -> bool:
    """Azure's own header, and a version of its API in the query."""
    return call.headers.get("api-key") == key and "api-version=" in call.path


def google_key(call: Call, key: str) -> bool:
    """Google's own header."""
    return call.headers.get("x-goog-api-key") == key


def aws_signature(call: Call, key: str) -> bool:
    """A Bedrock API key, or Signature Version 4 over method, path, signed headers and body ("Signing AWS API requests")."""
    given = call.headers.get("authorization", "")
    if given.startswith("Bearer "):
        return given == f"Bearer {key}"
    found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})", given)
    if found is None or found[1] != ACCESS_KEY_ID:
        return False
    _, scope, names, signature = found.groups()
    lines = "".join(f"{name}:{' '.join(call.headers.get(name, '').split())}\n" for name in names.split(";"))
    # Every service but S3 signs the path with its percent signs escaped once more.
    path = call.path.partition("?")[0].replace("%", "%25").replace(":", "%3A")
    canonical = "\n".join(("POST", path, "", lines, names, hashlib.sha256(call.raw).hexdigest()))
    signed = "\n".join(("AWS4-HMAC-SHA256", call.headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()))
    secret = f"AWS4{key}".encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(secret, signed.encode(), "sha256").hex(), signature)


def server_sent(event: Event) -> bytes:
    """Return a server-sent event; a nameless one has only data."""
    name, data = event
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def aws_event(event: Event) -> bytes:
    """Return a message of AWS's event stream; a name that ends in `Exception` is one ("Amazon Bedrock: ResponseStream")."""
    name, data = event
    if name is not None and name.endswith("Exception"):
        payload, kinds = json.dumps(data).encode(), ("exception", ":exception-type", name)
    else:
        payload, kinds = json.dumps({"bytes": b64encode(json.dumps(data).encode()).decode()}).encode(), ("event", ":event-type", "chunk")
    headers = ((":message-type", kinds[0]), (kinds[1], kinds[2]), (":content-type", "application/json"))
    packed = b"".join(bytes([len(k)]) + k.encode() + b"\x07" + struct.pack(">H", len(v)) + v.encode() for k, v in headers)
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return message + struct.pack(">I", zlib.crc32(message))


@dataclass(frozen=True)
class Door:
    """One way in. `path` may name `model` and `stream`, which then stand in the body as the other vendors have them."""

    path: re.Pattern[str]
    wire: Wire
    admits: Callable[[Call, str], bool] = bearer
    frame: Callable[[Event], bytes] = server_sent
    content_type: str = "text/event-stream"

    def read(self, path: str, body: Body) -> Body:
        """Return the body with what the path says."""
        said = found.groupdict() if (found := self.path.fullmatch(path)) else {}
        told = {"model": unquote(said["model"]), "stream": bool(said["stream"])} if "model" in said else {}
        return body | told


DOORS = (
    Door(re.compile(r"/v1/messages"), AnthropicWire()),
    Door(re.compile(r"/v1/chat/completions"), ChatWire()),
    Door(re.compile(r"/v1/responses"), ResponsesWire()),
    Door(re.compile(r"/v1/embeddings"), EmbeddingsWire()),
    Door(re.compile(r"/openai/v1/responses\?api-version=\S+"), ResponsesWire(), azure_key),
    Door(re.compile(r"/openai/v1/embeddings\?api-version=\S+"), EmbeddingsWire(), azure_key),
    Door(
        re.compile(r"/model/(?P<model>[^/]+)/invoke(?P<stream>-with-response-stream)?"),
        *(BedrockWire(), aws_signature, aws_event, "application/vnd.amazon.eventstream"),
    ),
    Door(
        re.compile(r"/v1beta/models/(?P<model>[^/:]+):(?:generateContent|(?P<stream>streamGenerateContent)\?alt=sse)"),
        *(GeminiWire(), google_key),
    ),
)
"""Every vendor's."""


def door_of(path: str) -> Door | None:
    """Return the door at a path with its query, or None."""
    return next((door for door in DOORS if door.path.fullmatch(path)), None)
