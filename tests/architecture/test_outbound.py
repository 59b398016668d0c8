"""Everything that connects to hosts does so by the guard (`adapters/outbound`): whoever makes a client stands here with the reason."""

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import MODULES, modules_of, shown, tree_of

MAKERS = frozenset(
    {
        *("AsyncClient", "AsyncHTTPTransport", "HTTPTransport", "urlopen", "HTTPConnection"),
        *("HTTPSConnection", "ClientSession", "PoolManager", "Session", "open_connection", "create_connection", "AnyIOBackend"),
        *("AsyncOpenAI", "AsyncAzureOpenAI", "AsyncAnthropic", "AsyncAnthropicBedrock", "DockerClient", "SMTP", "streamable_http_client"),
    }
)
"""What opens connections to hosts, by the last part of its name."""
QUALIFIED = frozenset({"httpx2.Client", "httpcore2.AsyncConnectionPool", "hvac.Client", "genai.Client"})
"""The same where the last part says nothing by itself."""

MAY = {
    "adapters/outbound/network.py": "the guard itself",
    "adapters/outbound/transport.py": "the guard itself",
    "adapters/anchors/webhook.py": "on a guarded transport",
    "adapters/mcp/authorizer.py": "on a guarded transport",
    "adapters/mcp/sessions.py": "on a guarded transport",
    "api/routes/mcp.py": "requests to this gateway itself, which never leave the process",
    "adapters/mail/smtp.py": "the operator's mail server: no HTTP, and no address that a tenant sets",
    "adapters/secrets/vault.py": "the operator's Vault, on the vendor's SDK",
    "adapters/sandboxes/docker_engine.py": "the operator's Docker daemon",
    "adapters/sandboxes/egress_proxy.py": "code in a sandbox connects by it; it asks the same rules for each address",
    "adapters/models/anthropic_provider.py": "the vendor's SDK, on a guarded client that wiring gives it",
    "adapters/models/openai_provider.py": "the vendor's SDK, on a guarded client that wiring gives it",
    "adapters/models/compatible_provider.py": "the vendor's SDK, on a guarded client that wiring gives it",
    "adapters/models/openai_embeddings.py": "the vendor's SDK, on a guarded client of `embeddings.py`",
    "adapters/models/embeddings.py": "on a guarded transport",
    "adapters/models/factory.py": "on a guarded transport",
    "adapters/models/bedrock_provider.py": "the vendor's SDK, on a guarded client that wiring gives it",
    "adapters/models/gemini_provider.py": "the vendor's SDK, on a guarded client that wiring gives it",
}
ON_A_TRANSPORT = ("adapters/anchors", "adapters/mcp", "adapters/tools", "adapters/models/factory", "adapters/models/embeddings")
"""Where each httpx2 client must be given its transport."""


def made(tree: ast.AST) -> list[ast.Call]:
    """Return the calls that make a client or open a connection."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if (name := ast.unparse(call.func)) in QUALIFIED or name.rpartition(".")[2] in MAKERS]


@pytest.mark.parametrize("module", modules_of("domain", "activities", "sagas", "workflows", "adapters", "api", "standfast_sdk"), ids=shown)
def test_only_the_named_make_clients(module: Path) -> None:
    assert shown(module) in MAY or not made(tree_of(module)), "connect by domain.egress.OutboundClients, or say here why not"


def test_the_names_are_right() -> None:
    known = {shown(path) for path in MODULES}
    assert all(name not in known or made(tree_of(path)) for path in MODULES if (name := shown(path)) in MAY)


@pytest.mark.parametrize("module", [path for path in MODULES if shown(path).startswith(ON_A_TRANSPORT)], ids=shown)
def test_clients_are_given_a_transport(module: Path) -> None:
    for call in made(tree_of(module)):
        if ast.unparse(call.func).endswith("AsyncClient"):
            assert "transport" in {keyword.arg for keyword in call.keywords}, ast.unparse(call)


@pytest.mark.parametrize(
    "source",
    [
        "import httpx2\nhttpx2.AsyncClient()",
        "from httpx2 import AsyncHTTPTransport\nAsyncHTTPTransport()",
        "import urllib.request\nurllib.request.urlopen(url)",
        "async def f():\n    await asyncio.open_connection(host, 80)",
    ],
)
def test_a_planted_client_is_found(source: str) -> None:
    assert made(ast.parse(source))
