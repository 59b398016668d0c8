"""Everything that connects to hosts does so by the guard (`adapters/outbound`): whoever makes a client stands here with the reason."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache

import pytest

from tests.architecture.sources import ROOT, modules_of, shown, tree_of

MAKERS = (
    *("httpx*.*Client", "httpx*.*HTTPTransport", "httpx*.get", "httpx*.post", "httpx*.put", "httpx*.patch", "httpx*.delete", "httpx*.head"),
    *("httpx*.options", "httpx*.request", "httpx*.stream", "httpcore*.*ConnectionPool", "httpcore*.*Backend", "httpcore*.*Proxy"),
    *("urllib.request.urlopen", "urllib.request.urlretrieve", "urllib.request.*pener*", "urllib3.*", "http.client.HTTP*Connection"),
    *("aiohttp.*", "requests.*", "pycurl.*", "websocket.*", "websockets.*connect", "grpc.*channel", "xmlrpc.client.Server*"),
    *("smtplib.*", "aiosmtplib.SMTP", "aiosmtplib.send", "ftplib.FTP*", "imaplib.*", "poplib.*", "telnetlib.*", "paramiko.*", "asyncssh.*"),
    *("socket.socket", "socket.create_connection", "asyncio.open_connection", "anyio.connect_tcp", "trio.open_tcp_stream"),
    *("openai.*OpenAI", "anthropic.*Anthropic*", "google.genai.Client", "boto3.*", "botocore.*ession", "aiobotocore.*", "litellm.*"),
    *("mcp.Client", "mcp.client.*_client", "temporalio.client.Client.connect", "docker.*Client", "docker.from_env", "hvac.*Client"),
    *("psycopg.*connect", "psycopg_pool.*Pool", "asyncpg.*", "redis.*", "qdrant_client.*", "elasticsearch.*", "kafka.*", "nats.*"),
    *("obstore.store.from_url", "obstore.store.[!L]*Store", "opentelemetry.exporter.*Exporter", "slack_sdk.*Client", "sentry_sdk.init"),
)
"""What opens connections to hosts, by its full name, whatever a module imports it as."""
ANYWHERE = frozenset({"open_connection", "create_connection", "create_datagram_endpoint", "sock_connect", "connect_tcp", "urlopen"})
"""The same by the last part of its name, where it is a method of a loop, or of something that nobody knows."""
ALIKE = ("anthropic.types.*", "openai.types.*", "psycopg.errors.*", "psycopg.*.connection", "requests.exceptions.*")
"""What has such a name, and opens nothing."""

GUARDED = "on a guarded transport"
SDK = "the vendor's SDK, on a guarded client that it is given"
GUARD = "the guard itself"
DATABASE = "the operator's database"
HERE = "looks at a port of this machine"
INSIDE = "sockets between a sandbox and its worker"

MAY = {
    "adapters/outbound/network.py": GUARD,
    "adapters/outbound/transport.py": GUARD,
    "adapters/anchors/webhook.py": GUARDED,
    "adapters/mcp/authorizer.py": GUARDED,
    "adapters/mcp/sessions.py": GUARDED,
    "adapters/models/factory.py": GUARDED,
    "adapters/models/embeddings.py": GUARDED,
    "adapters/models/anthropic_provider.py": SDK,
    "adapters/models/openai_provider.py": SDK,
    "adapters/models/openai_embeddings.py": SDK,
    "adapters/models/compatible_provider.py": SDK,
    "adapters/models/bedrock_provider.py": SDK,
    "adapters/models/gemini_provider.py": SDK,
    "adapters/mail/smtp.py": "the operator's mail server: no HTTP, and no address that a tenant sets",
    "adapters/objects/object_store.py": "the operator's object store",
    "adapters/postgres/declared_databases.py": "databases that the operator declares",
    "adapters/postgres/migrate.py": DATABASE,
    "adapters/postgres/pool.py": DATABASE,
    "adapters/secrets/vault.py": "the operator's Vault, on the vendor's SDK",
    "adapters/sandboxes/docker_engine.py": "the operator's Docker daemon",
    "adapters/sandboxes/egress_proxy.py": "code in a sandbox connects by it; it asks the same rules for each address",
    "adapters/sandboxes/inner_listener.py": INSIDE,
    "adapters/sandboxes/inner_network.py": INSIDE,
    "adapters/sandboxes/wasm_runner.py": INSIDE,
    "api/routes/mcp.py": "requests to this gateway itself, which never leave the process",
    "wiring/temporal.py": "the operator's Temporal",
    "wiring/embedded/temporal_probe.py": "the Temporal server that it waits for",
    "wiring/embedded/ports.py": HERE,
    "wiring/machine.py": HERE,
    "wiring/dev/parts.py": "asks the gateway that it started on this machine whether it is ready",
    "clients/python/src/standfast_client/drivers.py": "the client of Standfast itself: its user names the gateway",
}
HTTP_CLIENTS = ("httpx*.AsyncClient", "httpx*.Client")
SDK_CLIENTS = ("openai.*OpenAI", "anthropic.*Anthropic*")
WATCHED = [
    *modules_of("domain", "activities", "sagas", "workflows", "adapters", "wiring", "api", "cli", "standfast_sdk", "clients"),
    ROOT / "worker.py",
]


def names_of(tree: ast.AST) -> dict[str, str]:
    """Return what each imported name of a module stands for, in full."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {
                (alias.asname or first): (alias.name if alias.asname else first)
                for alias in node.names
                for first in [alias.name.partition(".")[0]]
            }
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def handed(call: ast.Call) -> Iterator[ast.expr]:
    """Give what a call calls, and what it hands on to be called."""
    yield call.func
    if ast.unparse(call.func) not in ("isinstance", "issubclass"):
        yield from call.args
        yield from (keyword.value for keyword in call.keywords)


def made(tree: ast.AST, makers: tuple[str, ...] = MAKERS) -> list[ast.Call]:
    """Return the calls that make a client or open a connection, or hand on what does."""
    names = names_of(tree)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if any(_makes(each, names, makers) for each in handed(call))]


def _makes(one: ast.expr, names: dict[str, str], makers: tuple[str, ...]) -> bool:
    parts: list[str] = []
    while isinstance(one, ast.Attribute):
        parts.append(one.attr)
        one = one.value
    if makers is MAKERS and parts and parts[0] in ANYWHERE:
        return True
    if not isinstance(one, ast.Name) or one.id not in names:
        return False
    return _named(".".join([names[one.id], *reversed(parts)]), makers)


@cache
def _named(full: str, makers: tuple[str, ...]) -> bool:
    return any(fnmatchcase(full, maker) for maker in makers) and not any(fnmatchcase(full, alike) for alike in ALIKE)


def test_only_the_named_make_clients() -> None:
    others = {shown(module): made(tree_of(module)) for module in WATCHED if shown(module) not in MAY}
    found = [f"{name}:{call.lineno}: {ast.unparse(call.func)}" for name, calls in others.items() for call in calls]
    assert found == [], "connect by domain.egress.OutboundClients, or say here why not"


def test_the_names_are_right() -> None:
    known = {shown(path): path for path in WATCHED}
    assert [name for name in MAY if name not in known or not made(tree_of(known[name]))] == []


@pytest.mark.parametrize("name", [name for name, reason in MAY.items() if reason == GUARDED])
def test_clients_are_given_a_transport(name: str) -> None:
    for call in made(tree_of(ROOT / name), HTTP_CLIENTS):
        assert "transport" in {keyword.arg for keyword in call.keywords}, ast.unparse(call)


@pytest.mark.parametrize("name", [name for name, reason in MAY.items() if reason == SDK])
def test_vendors_are_given_a_client(name: str) -> None:
    tree = tree_of(ROOT / name)
    for call in made(tree, SDK_CLIENTS):
        assert "http_client" in {keyword.arg for keyword in call.keywords}, ast.unparse(call)


@pytest.mark.parametrize(
    "source",
    [
        "import httpx2\nhttpx2.AsyncClient()",
        "import httpx2\nwith httpx2.Client() as client: ...",
        "import httpx2 as http\nhttp.get(url)",
        "from httpx2 import AsyncHTTPTransport\nAsyncHTTPTransport()",
        "from httpx2 import Client as C\nC()",
        "import urllib.request\nurllib.request.urlopen(url)",
        "from urllib import request\nrequest.build_opener()",
        "import urllib.request\nasyncio.to_thread(urllib.request.urlopen, url)",
        "async def f():\n    await asyncio.open_connection(host, 80)",
        "from functools import partial\nfrom httpx2 import AsyncClient\nnew = partial(AsyncClient, timeout=1)",
        "from http.client import HTTPSConnection\nHTTPSConnection(host)",
        "import smtplib\nsmtplib.SMTP_SSL(host)",
        "from websockets.asyncio.client import connect\nconnect(url)",
        "import grpc\ngrpc.aio.insecure_channel(host)",
        "import boto3\nboto3.client('s3')",
        "from openai import OpenAI\nOpenAI()",
        "from anthropic import AsyncAnthropicVertex\nAsyncAnthropicVertex()",
        "from google import genai\ngenai.Client()",
        "import socket\nsocket.socket().connect(place)",
        "loop.create_connection(protocol, host, 80)",
        "from psycopg import AsyncConnection\nAsyncConnection.connect(url)",
        "from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter\nOTLPSpanExporter()",
    ],
)
def test_a_planted_client_is_found(source: str) -> None:
    assert made(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "import httpx2\nisinstance(client, httpx2.AsyncClient)",
        "def f(client: 'AsyncClient') -> None: ...",
        "requests.get(tenant)",
        "from openai.types.responses import FunctionToolParam\nFunctionToolParam()",
        "import httpx2\nhttpx2.ASGITransport(app=app)",
    ],
)
def test_what_opens_nothing_is_let_be(source: str) -> None:
    assert not made(ast.parse(source))
