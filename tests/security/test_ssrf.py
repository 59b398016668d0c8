"""PROOF B20: nothing that a stranger can choose makes a client connect inside; a control without the guard shows each attack at work."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import httpcore2
import httpx2
import pytest

from adapters.outbound.clients import GuardedClients
from adapters.outbound.network import Guard, GuardedNetwork, Resolve, resolve_host
from domain.egress import EgressRules, host_matches, refusal
from domain.errors import EgressRefused
from tests.outbound import finding

OUTSIDE = "93.184.215.14"
"""A public address, to which nothing here ever connects."""


@dataclass
class Listener:
    """Counts who connects, and answers with what it is told."""

    port: int = 0
    connects: int = 0
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\ninside"
    hosts: list[bytes] = field(default_factory=list[bytes])
    busy: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one connection."""
        self.connects += 1
        self.busy.add(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request and answer it."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.hosts += [line[6:] for line in head.split(b"\r\n") if line.lower().startswith(b"host: ")]
            writer.write(self.answer)
            await reader.read()  # until the client hangs up
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def listening() -> AsyncGenerator[Listener]:
    """Listen on every address of this machine: what reaches any of them is seen."""
    listener = Listener()
    async with await asyncio.start_server(listener.take, "127.0.0.1", 0) as four:
        listener.port = four.sockets[0].getsockname()[1]
        async with await asyncio.start_server(listener.take, "::1", listener.port):
            yield listener
    await asyncio.gather(*listener.busy)


class Changing:
    """A name whose address is public when it is looked at, and inside the next time: DNS rebinding."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> list[str]:
        """Give the next answer, the last one again and again."""
        self.asked += 1
        return self._answers[min(self.asked, len(self._answers)) - 1]


class Unguarded(httpx2.AsyncHTTPTransport):
    """The control: the same client and resolver, with nobody who judges."""

    def __init__(self, resolve: Resolve) -> None:
        self._pool = httpcore2.AsyncConnectionPool(network_backend=_Trusting(resolve))


class _Trusting(httpcore2.AsyncNetworkBackend):
    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._sockets = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())  # declared twice in the library

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Look the name up once to check it and once to connect, as naive guards do."""
        await self._resolve(host, port)
        address = (await self._resolve(host, port))[-1]
        return await self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)


LOOPBACK = ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"]
MAPPED = ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]"]
NUMBERS = ["2130706433", "0x7f000001", "0x7f.1", "127.1", "127.0.1", "017700000001", "0x7f.0.0.0x1"]
"""Loopback as one number, in base 16 and 8, and with parts left out: all of them what inet_aton takes."""
UNPARSED = ["①②⑦.⓪.⓪.①", "0177.0.0.1", "127.0.0.1 ", "127.0.0.1\\@93.184.215.14", "[::1%25lo]"]
"""What the client's own URL parser, or the resolver, stops already."""
TRICKS = ["8.8.8.8@127.0.0.1", "93.184.215.14%40x:y@127.0.0.1", "127。0。0。1"]
"""A host that is no host but a user, other full stops (IDNA)."""


async def fetched(transport: httpx2.AsyncBaseTransport, url: str, *, follow: bool = False) -> str:
    """Return what a GET gave: the body, or the name of what went wrong."""
    async with httpx2.AsyncClient(transport=transport, timeout=2.0, follow_redirects=follow) as client:
        try:
            return (await client.get(url)).text
        except (EgressRefused, httpx2.HTTPError, httpx2.InvalidURL) as error:
            return type(error).__name__


class TestGuardOfAddresses:
    @pytest.mark.parametrize("host", [*LOOPBACK, *MAPPED, *NUMBERS, *TRICKS, *UNPARSED])
    async def test_lets_nothing_through_to_this_machine(self, host: str) -> None:
        async with listening() as inside:
            got = await fetched(GuardedClients().transport(EgressRules()), f"http://{host}:{inside.port}/")
            assert inside.connects == 0
            assert got == "EgressRefused" or host in UNPARSED

    @pytest.mark.parametrize("host", [*LOOPBACK, *MAPPED, *NUMBERS, *TRICKS])
    async def test_is_needed_for_a_client_without_it_connects(self, host: str) -> None:
        async with listening() as inside:
            got = await fetched(Unguarded(resolve_host), f"http://{host}:{inside.port}/")
            assert (got, inside.connects) == ("inside", 1), "the attack works without the guard"

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
    async def test_refuses_a_public_name_that_leads_inside(self, address: str) -> None:
        async with listening() as inside:
            url = f"http://public.example:{inside.port}/"
            assert await fetched(Unguarded(finding(address)), url) == "inside"
            assert await fetched(GuardedClients(resolve=finding(OUTSIDE, address)).transport(EgressRules()), url) == "EgressRefused"
            assert inside.connects == 1, "only the control's"

    async def test_connects_to_what_it_judged_when_the_name_is_bound_anew(self) -> None:
        async with listening() as inside:
            url = f"http://rebinding.example:{inside.port}/"
            assert await fetched(Unguarded(Changing([OUTSIDE], ["127.0.0.1"])), url) == "inside"
            asked = Changing(["127.0.0.1"], [OUTSIDE])
            assert await fetched(GuardedClients(resolve=asked).transport(EgressRules()), url) == "EgressRefused"
            asked = Changing([OUTSIDE], ["127.0.0.1"])
            guarded = GuardedClients(resolve=asked).transport(EgressRules())
            async with httpx2.AsyncClient(transport=guarded, timeout=httpx2.Timeout(1, connect=0.05)) as client:
                with pytest.raises((httpx2.ConnectError, httpx2.ConnectTimeout)):
                    await client.get(url)
            assert (asked.asked, inside.connects) == (1, 1), "resolved once; only the control connected"

    @pytest.mark.parametrize(
        "address",
        [
            *("169.254.169.254", "169.254.170.2", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
            *("fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::"),
            *(
                "::169.254.169.254",
                "::ffff:0:169.254.169.254",
                "fec0::1",
                "2001:4860::5efe:7f00:1",
                "0.1.2.3",
                "::",
                "224.0.0.1",
            ),
            *("ff02::1", "240.0.0.1", "255.255.255.255", "192.88.99.1", "4000::1", "no address"),
        ],
    )
    def test_never_lets_metadata_and_hidden_addresses_through(self, address: str) -> None:
        assert refusal(address, allow_private=True, networks=("0.0.0.0/0", "::/0")) is not None

    @pytest.mark.parametrize(
        "address",
        ["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "127.0.0.1", "::1", "fc00::1", "fd12::1", "::ffff:10.0.0.1", "198.18.0.1"],
    )
    def test_opens_private_and_shared_ranges_only_where_allowed(self, address: str) -> None:
        assert refusal(address, allow_private=False) is not None
        assert refusal(address, allow_private=True) is None

    @pytest.mark.parametrize("address", [OUTSIDE, "8.8.8.8", "2606:2800:21f:cb07::1", "::ffff:8.8.8.8"])
    def test_lets_public_addresses_through(self, address: str) -> None:
        assert refusal(address, allow_private=False) is None

    def test_opens_networks_that_the_operator_declared(self) -> None:
        assert refusal("10.20.1.2", allow_private=False, networks=("10.20.0.0/16",)) is None
        assert refusal("10.21.1.2", allow_private=False, networks=("10.20.0.0/16",)) is not None


class TestGuardOfUrls:
    @pytest.mark.parametrize(
        "url", ["file:///etc/passwd", "ftp://x.example/", "gopher://127.0.0.1:70/_x", "ws://127.0.0.1/", "http:///x", "//x"]
    )
    async def test_speaks_no_other_scheme(self, url: str) -> None:
        got = await fetched(GuardedClients(allow_private=True).transport(EgressRules()), url)
        assert got in {"EgressRefused", "UnsupportedProtocol", "InvalidURL"}

    @pytest.mark.parametrize("port", [22, 25, 2375, 5432, 6379, 7233, 9200, 11211])
    async def test_calls_no_port_of_an_internal_service(self, port: int) -> None:
        clients = GuardedClients(allow_private=True, resolve=finding("127.0.0.1"))
        assert await fetched(clients.transport(EgressRules()), f"http://public.example:{port}/") == "EgressRefused"

    async def test_calls_no_port_but_those_declared(self) -> None:
        async with listening() as inside:
            clients, url = GuardedClients(allow_private=True), f"http://127.0.0.1:{inside.port}/"
            assert await fetched(clients.transport(EgressRules(ports=(80, 443))), url) == "EgressRefused"
            assert (await fetched(clients.transport(EgressRules()), url), inside.connects) == ("inside", 1)

    @pytest.mark.parametrize(
        ("host", "pattern", "fits"),
        [
            ("api.bank.example", "*.bank.example", True),
            ("bank.example", "*.bank.example", False),
            ("evilbank.example", "*.bank.example", False),
            ("API.bank.example.", "api.bank.example", True),
            ("api.bank.example.evil.example", "api.bank.example", False),
        ],
    )
    def test_knows_declared_hosts(self, host: str, pattern: str, *, fits: bool) -> None:
        assert host_matches(host, pattern) is fits

    async def test_calls_no_unix_socket(self) -> None:
        with pytest.raises(EgressRefused):
            await GuardedNetwork(Guard(allow_private=True), EgressRules()).connect_unix_socket("/run/docker.sock")


class TestGuardOfRedirects:
    @pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/", "http://2130706433:{port}/", "//[::ffff:127.0.0.1]:{port}/"])
    async def test_judges_each_hop(self, target: str) -> None:
        async with listening() as inside, listening() as outside:
            location = target.format(port=inside.port)
            outside.answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
            url = f"http://public.example:{outside.port}/"

            async def resolve(host: str, port: int) -> list[str]:
                return ["127.0.0.1"] if host == "public.example" else await resolve_host(host, port)

            rules = EgressRules(hosts=("public.example",))
            guarded = GuardedClients(allow_private=True, resolve=resolve).transport(rules)
            assert await fetched(guarded, url, follow=True) == "EgressRefused"
            assert (outside.connects, inside.connects) == (1, 0)
            assert await fetched(Unguarded(resolve), url, follow=True) == "inside"

    async def test_follows_none_unless_its_caller_does(self) -> None:
        async with listening() as inside:
            inside.answer = b"HTTP/1.1 302 Found\r\nLocation: http://x.example/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            await fetched(GuardedClients(allow_private=True).transport(EgressRules()), f"http://127.0.0.1:{inside.port}/")
            assert inside.connects == 1


class TestGuardOfAnswers:
    async def got(self, answer: bytes, rules: EgressRules) -> str:
        async with listening() as server:
            server.answer = answer
            return await fetched(GuardedClients(allow_private=True).transport(rules), f"http://127.0.0.1:{server.port}/")

    async def test_reads_no_more_than_allowed(self) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000
        assert await self.got(answer, EgressRules(answer_bytes_max=4999)) == "ReadError"
        assert await self.got(answer, EgressRules(answer_bytes_max=5000)) == "x" * 5000

    async def test_waits_no_longer_than_allowed(self) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 10
        assert await self.got(answer, EgressRules(seconds_max=0.2)) == "ReadTimeout"

    async def test_keeps_the_name_in_the_request(self) -> None:
        async with listening() as server:
            clients = GuardedClients(allow_private=True, resolve=finding("127.0.0.1"))
            await fetched(clients.transport(EgressRules()), f"http://public.example:{server.port}/")
            assert server.hosts == [f"public.example:{server.port}".encode()]
