"""What lies outside a sandbox while probes run in it: listeners, a secret file, another process, a leaked descriptor, shared memory."""

import asyncio
import contextlib
import ctypes
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

NOBODY = 65534
"""The user of code in a sandbox: the victim is the same user, so that nothing but the sandbox stands between them."""
IPC_CREAT, IPC_RMID = 0o1000, 0
SEGMENT_BYTES = 4096
SYSLOG_READ_ALL, LOG_BYTES = 3, 1024 * 1024
"""syslog(2)."""


@asynccontextmanager
async def outside() -> AsyncGenerator[dict[str, str]]:
    """Set everything up, readable and reachable for every user of the host, and take it down."""
    canary = f"canary-{secrets.token_hex(8)}"
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(_folder()))
        secret, shared = folder / "secret.txt", Path("/dev/shm") / f"standfast-probe-{canary}"  # noqa: S108 (the host's own)
        for place in (secret, shared):
            place.write_text(canary, encoding="utf-8")
            place.chmod(0o644)
        stack.callback(shared.unlink)
        (folder / "scratch").mkdir()
        told = {
            "canary": canary,
            "secret_path": str(secret),
            "shared_path": str(shared),
            "write_path": str(folder / "planted.txt"),
            "scratch": str(folder / "scratch"),
            "hostname": socket.gethostname(),
            "interface": socket.if_nameindex()[-1][1],
            "log_line": _log_line(),
            "device": str(Path("/dev/kmsg").stat().st_rdev if Path("/dev/kmsg").exists() else 0),
            "segment_key": str(stack.enter_context(_segment())),
        }
        stack.enter_context(_leaked(secret))
        stack.enter_context(_variable("STANDFAST_TEST_SECRET", canary))
        told |= await _victim(stack, canary)
        yield told | await _listeners(stack, folder)


@contextmanager
def _folder() -> Generator[str]:
    """Give a folder that everybody may enter and write to."""
    folder = tempfile.mkdtemp(prefix="standfast-outside-")
    Path(folder).chmod(0o777)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _log_line() -> str:
    """Return the newest line of the kernel's log, or nothing where it may not be read."""
    text = ctypes.create_string_buffer(LOG_BYTES)
    size = ctypes.CDLL(None).klogctl(SYSLOG_READ_ALL, text, LOG_BYTES)
    lines = [line for line in text.raw[: max(size, 0)].decode(errors="replace").splitlines() if line.isascii()]
    return lines[-1] if lines else ""


@contextmanager
def _segment() -> Generator[int]:
    """Give the key of a System V segment."""
    libc = ctypes.CDLL(None, use_errno=True)
    key = secrets.randbelow(2**30) + 1
    made = libc.shmget(key, SEGMENT_BYTES, IPC_CREAT | 0o666)
    assert made >= 0
    try:
        yield key
    finally:
        libc.shmctl(made, IPC_RMID, None)


@contextmanager
def _leaked(secret: Path) -> Generator[None]:
    """Leave a descriptor of the secret open and inheritable, as careless code would."""
    descriptor = os.open(secret, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _variable(name: str, value: str) -> Generator[None]:
    """Set a variable of the platform's own environment."""
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


async def _victim(stack: AsyncExitStack, canary: str) -> dict[str, str]:
    """Start another process of the same user, with the canary in its environment and a marker in its command line."""
    marker = f"victim-{canary}"
    waits = "import signal, sys; signal.signal(signal.SIGUSR1, signal.SIG_IGN); print('ready', flush=True); sys.stdin.read()"
    victim = await asyncio.create_subprocess_exec(
        *("/usr/bin/python3", "-I", "-c", waits, marker),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"HELD": canary},
        user=NOBODY if os.geteuid() == 0 else None,
    )
    assert victim.stdout is not None
    await victim.stdout.readline()

    async def ended() -> None:
        with contextlib.suppress(ProcessLookupError):
            victim.kill()
        await victim.wait()

    stack.push_async_callback(ended)
    return {"victim": str(victim.pid), "marker": marker}


async def _listeners(stack: AsyncExitStack, folder: Path) -> dict[str, str]:
    """Listen on the loopback, on an address of the network, in a file and under an abstract name."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async def served(server: asyncio.Server) -> int:
        await stack.enter_async_context(server)
        bound = server.sockets[0]
        return 0 if bound.family == socket.AF_UNIX else int(bound.getsockname()[1])

    abstract, path, address = f"standfast-{secrets.token_hex(8)}", folder / "listener.sock", _network_address()
    hidden = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    hidden.bind("\0" + abstract)
    await served(await asyncio.start_unix_server(greet, sock=hidden))
    await served(await asyncio.start_unix_server(greet, str(path)))
    path.chmod(0o777)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(_Echo, local_addr=("127.0.0.1", 0))
    stack.callback(transport.close)
    return {
        "tcp_port": str(await served(await asyncio.start_server(greet, "127.0.0.1", 0))),
        "tcp6_port": str(await served(await asyncio.start_server(greet, "::1", 0))),
        "address": address,
        "address_port": str(await served(await asyncio.start_server(greet, address, 0))),
        "udp_port": str(transport.get_extra_info("sockname")[1]),
        "abstract": abstract,
        "unix_path": str(path),
    }


class _Echo(asyncio.DatagramProtocol):
    """Answers each datagram with itself."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        """Keep the way back."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer."""
        self._transport.sendto(data, addr)


def _network_address() -> str:
    """Return an address of this machine beside the loopback; a second loopback address where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as looking:
        try:
            looking.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.2"
        return str(looking.getsockname()[0])


async def without_a_sandbox(program: Path, told: dict[str, str], *names: str) -> str:
    """Run a file of probes as root on the host, with the platform's environment and descriptors: the weak control."""
    process = await asyncio.create_subprocess_exec(
        *("/usr/bin/python3", str(program), *names),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        close_fds=False,
        cwd=told["scratch"],
    )
    out, err = await process.communicate(json.dumps(told).encode())
    assert process.returncode == 0, err.decode() + sys.version
    return out.decode()


def marked(program: Path, mark: str) -> list[str]:
    """Return the names of the functions of a file of probes that stand under a decorator; the file itself is never imported here."""
    lines = program.read_text(encoding="utf-8").splitlines()
    return [lines[number + 1].removeprefix("def ").partition("(")[0] for number, line in enumerate(lines) if line == mark]
