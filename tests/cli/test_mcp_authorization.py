"""`mcp authorize` from the person's side: the answer comes to this machine, once, at one path."""

import threading

import httpx2
import pytest
from pydantic import JsonValue

from cli.mcp_authorization import authorize
from standfast_client import McpServer
from tests.cli.command_line import CommandLine
from tests.clients.live_gateway import LiveGateway
from wiring.embedded.ports import free_ports

SERVER: dict[str, JsonValue] = {"name": "files", "transport": "http", "url": "https://mcp.example/mcp", "oauth": {}}


def answered(live: LiveGateway, *queries: str) -> tuple[list[int], McpServer | None]:
    """Authorize while a browser asks for these paths; return the statuses it saw, and what came of it."""
    (port,), result = free_ports(1), list[McpServer | None]()

    def run() -> None:
        with live.client() as client:
            client.mcp_servers.add(SERVER)
            result.append(authorize(client, "files", port=port, timeout_s=60))

    thread = threading.Thread(target=run)
    thread.start()
    transport = httpx2.HTTPTransport(retries=10)
    with httpx2.Client(transport=transport, base_url=f"http://127.0.0.1:{port}") as browser:
        statuses = [browser.get(query).status_code for query in queries]
    thread.join()
    return statuses, result[0]


@pytest.fixture
def live(standfast: CommandLine) -> LiveGateway:
    """The gateway behind the command line."""
    return standfast.live


class TestAuthorize:
    def test_brings_the_answer_to_the_gateway(self, live: LiveGateway) -> None:
        statuses, server = answered(
            live, "/favicon.ico", "/callback", "/callback?code=good&state=state-of-files-0000&iss=https://i.example"
        )
        assert statuses == [404, 404, 200]
        assert server is not None
        assert server.authorized

    def test_ends_when_the_person_says_no(self, live: LiveGateway) -> None:
        statuses, server = answered(live, "/callback?error=access_denied")
        assert (statuses, server) == ([200], None)

    def test_ends_when_nobody_answers(self, live: LiveGateway) -> None:
        with live.client() as client:
            client.mcp_servers.add(SERVER)
            assert authorize(client, "files", port=0, timeout_s=0.1) is None
