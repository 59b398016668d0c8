"""A mail server that speaks SMTP on a loopback port: it keeps what it takes, and answers as it is told to (RFC 5321, 3207, 4954)."""

import asyncio
import base64
import ssl
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"


@dataclass
class Taken:
    """A mail that was taken."""

    sender: str
    to: list[str]
    raw: bytes
    encrypted: bool
    login: str | None

    @cached_property
    def mail(self) -> EmailMessage:
        """The mail, parsed."""
        return message_from_bytes(self.raw, policy=default)

    def part(self, kind: str) -> str:
        """Return the text of its part of that kind, such as `plain`."""
        body = self.mail.get_body((kind,))
        assert body is not None
        return str(body.get_content())


@dataclass
class SmtpSink:
    """What the server does. `answers` gives lines for a verb, used up one by one; then it says yes.

    `implicit` speaks TLS from the first byte; `tls` without it offers STARTTLS.
    """

    tls: ssl.SSLContext | None = None
    implicit: bool = False
    port: int = 0
    answers: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    taken: list[Taken] = field(default_factory=list[Taken])
    verbs: list[str] = field(default_factory=list[str])
    silent: bool = False

    def answer(self, verb: str, *lines: str) -> None:
        """Answer the next such commands so."""
        self.answers.setdefault(verb, []).extend(lines)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client."""
        session = _Session(self, reader, writer)
        try:
            await session.run()
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@dataclass
class _Session:
    sink: SmtpSink
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    encrypted: bool = False
    login: str | None = None
    sender: str = ""
    to: list[str] = field(default_factory=list[str])

    async def run(self) -> None:
        """Answer commands until the client leaves."""
        self.encrypted = self.sink.implicit
        if self.sink.silent:
            await self.reader.read()
            return
        await self.say("220 sink ready")
        while line := (await self.reader.readline()).decode("latin-1").rstrip("\r\n"):
            verb, _, rest = line.partition(" ")
            self.sink.verbs.append(verb.upper())
            if not await self.obey(verb.upper(), rest):
                return

    async def obey(self, verb: str, rest: str) -> bool:
        """Answer one command; False ends the session."""
        scripted = self.sink.answers.get(verb)
        refused = scripted.pop(0) if scripted else None
        if refused is not None and not refused.startswith(("2", "3")):
            await self.say(refused)
            return not refused.startswith("421")
        match verb:
            case "EHLO" | "HELO":
                offers = ["STARTTLS"] if self.sink.tls and not self.encrypted else []
                await self.lines(["sink", *offers, "AUTH PLAIN", "8BITMIME"])
            case "STARTTLS":
                await self.say("220 go on")
                await self.writer.start_tls(cast("ssl.SSLContext", self.sink.tls))
                self.encrypted = True
            case "AUTH":
                self.login = base64.b64decode(rest.rsplit(maxsplit=1)[-1]).decode().split("\0")[1]
                await self.say("235 welcome")
            case "MAIL":
                self.sender, self.to = _path(rest), []
                await self.say("250 ok")
            case "RCPT":
                self.to.append(_path(rest))
                await self.say("250 ok")
            case "DATA":
                await self.take()
            case "QUIT":
                await self.say("221 bye")
                return False
            case _:
                await self.say("250 ok")
        return True

    async def take(self) -> None:
        """Take a mail."""
        await self.say("354 go on")
        lines: list[bytes] = []
        while (line := await self.reader.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        scripted = self.sink.answers.get("END")
        said = scripted.pop(0) if scripted else "250 taken"
        if said.startswith("2"):
            self.sink.taken.append(Taken(self.sender, self.to, b"".join(lines), self.encrypted, self.login))
        await self.say(said)

    async def lines(self, texts: Iterable[str]) -> None:
        """Answer 250 on several lines."""
        *first, last = texts
        await self.say("\r\n".join([*(f"250-{text}" for text in first), f"250 {last}"]))

    async def say(self, text: str) -> None:
        """Answer."""
        self.writer.write(f"{text}\r\n".encode())
        await self.writer.drain()


def _path(rest: str) -> str:
    return rest[rest.index("<") + 1 : rest.index(">")]


@contextmanager
def smtp_server(sink: SmtpSink) -> Generator[SmtpSink]:
    """Serve on a port that the system chooses, in a thread with a loop of its own, until the block ends."""
    ready, ends = threading.Event(), list[Callable[[], object]]()

    async def serve() -> None:
        stopping, loop = asyncio.Event(), asyncio.get_running_loop()
        ends.append(lambda: loop.call_soon_threadsafe(stopping.set))
        server = await asyncio.start_server(sink.serve, HOST, 0, ssl=sink.tls if sink.implicit else None)
        sink.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stopping.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    try:
        assert ready.wait(60), "the mail server did not start"
        yield sink
    finally:
        ends[0]()
        thread.join(60)


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server with a certificate of its own for 127.0.0.1, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    place = folder / "sink.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    place.write_bytes(private + made.public_bytes(Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(place)
    return server, ssl.create_default_context(cafile=str(place))
