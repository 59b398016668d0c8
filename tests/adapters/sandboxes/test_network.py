"""The network of sandboxes: hosts on the list are reached through the proxy, by checked addresses; nothing else is, by any way."""

import asyncio
import socket
from collections.abc import AsyncGenerator

import pytest

from adapters.sandboxes.bubblewrap import BubblewrapSandbox
from adapters.sandboxes.docker_backend import DockerSandbox
from adapters.sandboxes.egress_proxy import EgressProxy
from domain.errors import EgressRefused
from domain.sandbox import MIB, Sandbox, SandboxProfile
from tests.facilities import docker_url, require

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
METADATA = "metadata.test"


class Site:
    """A web server of the test, and the addresses that its names have."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.port = 0
        self.asked: list[str] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep the request's head, and answer."""
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    async def addresses(self, host: str, _port: int) -> list[str]:
        """Resolve every name to this machine, save one that leads to a metadata service."""
        self.asked.append(host)
        if host == METADATA:
            raise EgressRefused("the host metadata.test resolves to 169.254.169.254, a link-local address")
        return ["127.0.0.1"]


@pytest.fixture
async def site() -> AsyncGenerator[Site]:
    """One site."""
    made = Site()
    async with await asyncio.start_server(made.answer, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


async def said(listener: socket.socket, request: bytes) -> bytes:
    """Say something to the proxy and return all it answers."""
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(request)
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


@pytest.fixture
async def proxy(site: Site) -> AsyncGenerator[socket.socket]:
    """A proxy that allows the site and a metadata service by name; gives its listening socket."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    made = EgressProxy((f"*.test:{site.port}",), site.addresses)
    await made.serve(listener)
    yield listener
    await made.aclose()
    listener.close()


class TestEgressProxy:
    async def test_passes_a_plain_request_on_with_the_host_of_its_url(self, proxy: socket.socket, site: Site) -> None:
        request = f"GET http://api.test:{site.port}/x?y=1 HTTP/1.1\r\nHost: elsewhere.test\r\nProxy-Connection: close\r\nA: b\r\n\r\n"
        assert (await said(proxy, request.encode())).endswith(b"hello")
        assert site.requests == [f"GET /x?y=1 HTTP/1.1\r\nHost: api.test:{site.port}\r\nConnection: close\r\nA: b\r\n\r\n".encode()]

    async def test_opens_a_tunnel(self, proxy: socket.socket, site: Site) -> None:
        answer = await said(proxy, f"CONNECT api.test:{site.port} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n".encode())
        assert answer == b"HTTP/1.1 200 Connection established\r\n\r\n" + ANSWER

    @pytest.mark.parametrize(
        "target",
        [
            "test:{port}",
            "api.test.evil.example:{port}",
            "api.test:1",
            "127.0.0.1:{port}",
            "[::1]:{port}",
            "2130706433:{port}",
            "0x7f.1:{port}",
        ],
    )
    async def test_refuses_what_is_not_on_the_list(self, proxy: socket.socket, site: Site, target: str) -> None:
        answer = await said(proxy, f"CONNECT {target.format(port=site.port)} HTTP/1.1\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert (site.requests, site.asked) == ([], [])

    async def test_refuses_a_listed_name_that_leads_inside(self, proxy: socket.socket, site: Site) -> None:
        answer = await said(proxy, f"CONNECT {METADATA}:{site.port} HTTP/1.1\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"169.254.169.254" in answer

    @pytest.mark.parametrize(
        "request_bytes",
        [
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET https://api.test/ HTTP/1.1\r\n\r\n",
            b"CONNECT user@api.test:443 HTTP/1.1\r\n\r\n",
            b"CONNECT api.test HTTP/1.1\r\n\r\n",
            b"CONNECT api.test:99999 HTTP/1.1\r\n\r\n",
            b"\x05\x01\x00\r\n\r\n",
            b"GET http://api.test/" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
        ],
        ids=["no host", "https", "a user", "no port", "a port too large", "socks", "too long"],
    )
    async def test_refuses_what_is_no_request_to_it(self, proxy: socket.socket, site: Site, request_bytes: bytes) -> None:
        assert (await said(proxy, request_bytes)).startswith(b"HTTP/1.1 400 ")
        assert site.requests == []

    async def test_tells_that_a_host_does_not_answer(self, site: Site) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        gone = socket.create_server(("127.0.0.1", 0))
        port = gone.getsockname()[1]
        gone.close()
        made = EgressProxy((f"api.test:{port}",), site.addresses)
        await made.serve(listener)
        assert (await said(listener, f"CONNECT api.test:{port} HTTP/1.1\r\n\r\n".encode())).startswith(b"HTTP/1.1 502 ")
        await made.aclose()
        listener.close()


PYTHON = """
import socket, urllib.request
for url in ("http://api.test:{port}/", "http://other.example/", "http://127.0.0.1:{port}/"):
    try:
        print(urllib.request.urlopen(url, timeout=3).read().decode())
    except OSError as error:
        print("refused", getattr(error, "code", ""))
for address in (("127.0.0.1", {port}), ("{outside}", {port})):
    try:
        socket.create_connection(address, timeout=1).close()
        print("escaped")
    except OSError:
        print("held")
"""
SHELL = """
for url in http://api.test:{port}/ http://other.example/ http://127.0.0.1:{port}/; do
  wget -q -O - $url 2>/dev/null && echo || echo refused 403
done
for address in 127.0.0.1 {outside}; do nc -w 1 $address {port} </dev/null 2>/dev/null && echo escaped || echo held; done
"""
EXPECTED = ["hello", "refused 403", "refused 403", "held", "held"]


class TestNetworkOfASandbox:
    @pytest.mark.parametrize("backend", ["bubblewrap", "docker"])
    async def test_reaches_its_hosts_and_nothing_else(self, backend: str, site: Site) -> None:
        require("bubblewrap" if backend == "bubblewrap" else "docker")
        sandbox: Sandbox = (
            BubblewrapSandbox(addresses=site.addresses)
            if backend == "bubblewrap"
            else DockerSandbox(base_url=docker_url(), addresses=site.addresses)
        )
        profile = SandboxProfile.model_validate(
            {
                "name": "networked",
                "backend": backend,
                "network": "allow",
                "egress": [f"api.test:{site.port}"],
                "memory_bytes": 96 * MIB,
                "image": "standfast-test:busybox",
            }
        )
        source = (PYTHON if backend == "bubblewrap" else SHELL).format(port=site.port, outside="192.0.2.2")
        command = ["python3", "main"] if backend == "bubblewrap" else ["sh", "main"]
        result = await sandbox.run(profile, command, files={"main": source.encode()})
        assert result.stdout.splitlines() == EXPECTED, result
        assert len(site.requests) == 1

    async def test_is_off_again_for_the_next_run(self, site: Site) -> None:
        require("bubblewrap")
        sandbox = BubblewrapSandbox(addresses=site.addresses)
        code = "import socket\ntry: socket.create_connection(('127.0.0.1', 3128), 1)\nexcept OSError as e: print('held')"
        result = await sandbox.run(SandboxProfile(name="off", backend="bubblewrap"), ["python3", "main"], files={"main": code.encode()})
        assert result.stdout == "held\n"
