"""Quiet probes of the host: its listeners, files, descriptors, environment and processes."""

import ctypes
import errno
import os
import signal
import socket
import struct
from pathlib import Path

from attempt import Outside, attempt, call, succeeds

AT_FDCWD = -100
PTRACE_ATTACH = 16


# Sockets: whatever listens on the host, on its loopback, its address, its files or its abstract names.
@attempt
def tcp_to_the_hosts_loopback(outside: Outside) -> object:
    return _greeted(socket.create_connection(("127.0.0.1", int(outside["tcp_port"])), timeout=2))


@attempt
def tcp_to_an_address_of_the_network(outside: Outside) -> object:
    # Metadata services are reached no other way than this.
    return _greeted(socket.create_connection((outside["address"], int(outside["address_port"])), timeout=2))


@attempt
def tcp_over_ipv6(outside: Outside) -> object:
    return _greeted(socket.create_connection(("::1", int(outside["tcp6_port"])), timeout=2))


@attempt
def udp_to_the_hosts_loopback(outside: Outside) -> object:
    return _answered(b"ping", int(outside["udp_port"]))


@attempt
def dns_query_that_carries_data(outside: Outside) -> object:
    labels = b"".join(bytes([len(part)]) + part for part in (b"stolen-canary", b"exfil", b"test"))
    return _answered(struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1", int(outside["udp_port"]))


@attempt
def abstract_unix_socket_of_the_host(outside: Outside) -> object:
    return _greeted(_unix("\0" + outside["abstract"]))


@attempt
def unix_socket_file_of_the_host(outside: Outside) -> object:
    return _greeted(_unix(outside["unix_path"]))


@attempt
def raw_socket(_: Outside) -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


@attempt
def packet_socket(_: Outside) -> object:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))


@attempt
def netlink_socket(_: Outside) -> object:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


@attempt
def interface_of_the_host(outside: Outside) -> object:
    return outside["interface"] in [name for _, name in socket.if_nameindex()]


@attempt
def vsock_socket(_: Outside) -> object:
    return socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)


# Files, descriptors, environment and processes of the host.
@attempt
def secret_file_of_the_host(outside: Outside) -> object:
    return outside["canary"] in Path(outside["secret_path"]).read_text()


@attempt
def secret_file_by_climbing(outside: Outside) -> object:
    return outside["canary"] in Path("../" * 20, outside["secret_path"].lstrip("/")).read_text()


@attempt
def secret_file_by_a_link(outside: Outside) -> object:
    link = Path(outside["scratch"], f"link-{os.getpid()}")
    link.symlink_to(outside["secret_path"])
    try:
        return outside["canary"] in link.read_text()
    finally:
        link.unlink()


@attempt
def secret_file_through_another_process(outside: Outside) -> object:
    return outside["canary"] in Path(f"/proc/{outside['victim']}/root{outside['secret_path']}").read_text()


@attempt
def secret_file_by_handle(outside: Outside) -> object:
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    call("name_to_handle_at", AT_FDCWD, outside["secret_path"].encode(), handle, ctypes.byref(mount), 0)
    folder = os.open(Path(outside["secret_path"]).parent, os.O_RDONLY)
    return outside["canary"] in os.read(call("open_by_handle_at", folder, handle, os.O_RDONLY), 1000).decode()


@attempt
def file_planted_on_the_host(outside: Outside) -> object:
    Path(outside["write_path"]).write_text("planted")
    return True


@attempt
def shadow_passwords(_: Outside) -> object:
    return "root:" in Path("/etc/shadow").read_text()


@attempt
def account_keys(_: Outside) -> object:
    return list(Path("/root").iterdir())


@attempt
def system_program_changed(_: Outside) -> object:
    folder = "/usr/bin" if Path("/usr/bin").is_dir() else "/bin"
    planted = Path(folder, "standfast-probe")
    planted.write_text("x")
    planted.unlink()
    return True


@attempt
def shared_memory_file_of_the_host(outside: Outside) -> object:
    return outside["canary"] in Path(outside["shared_path"]).read_text()


@attempt
def shared_memory_segment_of_the_host(outside: Outside) -> object:
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.shmget(int(outside["segment_key"]), 4096, 0) >= 0


@attempt
def leaked_descriptor(outside: Outside) -> object:
    for name in map(str, range(3, 1024)):
        try:
            if outside["canary"].encode() in os.pread(int(name), 1000, 0):
                return True
        except OSError:
            continue
    return False


@attempt
def environment_of_the_platform(outside: Outside) -> object:
    return any(outside["canary"] in value for value in os.environ.values())


@attempt
def environment_of_another_process(outside: Outside) -> object:
    return _found_in_proc("environ", outside["canary"])


@attempt
def command_line_of_another_process(outside: Outside) -> object:
    return _found_in_proc("cmdline", outside["marker"])


@attempt
def signal_to_another_process(outside: Outside) -> object:
    victim = int(outside["victim"])
    os.kill(victim, signal.SIGUSR1)
    return True


@attempt
def memory_of_another_process(outside: Outside) -> object:
    return os.open(f"/proc/{int(outside['victim'])}/mem", os.O_RDONLY) >= 0


@attempt
def memory_of_another_process_by_call(outside: Outside) -> object:
    # No address of it is known: one that is wrong is told apart from not being let.
    into, vector = ctypes.create_string_buffer(8), (ctypes.c_size_t * 2)
    try:
        return succeeds("process_vm_readv", int(outside["victim"]), vector(ctypes.addressof(into), 8), 1, vector(4096, 8), 1, 0)
    except OSError as error:
        return error.errno == errno.EFAULT


@attempt
def tracing_another_process(outside: Outside) -> object:
    return succeeds("ptrace", PTRACE_ATTACH, int(outside["victim"]), 0, 0)


@attempt
def host_name(outside: Outside) -> object:
    return socket.gethostname() == outside["hostname"]


def _greeted(connected: socket.socket) -> bool:
    """Whether a listener of the test greets."""
    with connected:
        connected.settimeout(2)
        return connected.recv(5) == b"hello"


def _unix(address: str) -> socket.socket:
    """Connect to a Unix socket."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.connect(address)
    return connected


def _answered(question: bytes, port: int) -> bool:
    """Whether a datagram to the host's loopback is answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(2)
        sender.connect(("127.0.0.1", port))  # so that nobody there is told at once
        sender.send(question)
        return bool(sender.recv(1000))


def _found_in_proc(file: str, text: str) -> bool:
    """Whether any process that is seen shows a text."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                if text.encode() in (folder / file).read_bytes():
                    return True
            except OSError:
                continue
    return False
