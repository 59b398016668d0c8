"""Quiet probes: each tries to reach something outside the sandbox, or a part of the kernel that code inside has no business with.

They run in one start of the sandbox, each in a child of its own. The control runs the same file without a sandbox, as root.
"""

import ctypes
import os
import resource
import signal
import socket
import struct
import time
from pathlib import Path

from attempt import Outside, attempt, call, main, succeeds

PR_GET_NO_NEW_PRIVS = 39
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
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
def tracing_another_process(outside: Outside) -> object:
    return succeeds("ptrace", PTRACE_ATTACH, int(outside["victim"]), 0, 0)


@attempt
def host_name(outside: Outside) -> object:
    return socket.gethostname() == outside["hostname"]


# The kernel: its files, devices and mounts.
@attempt
def kernel_settings(_: Outside) -> object:
    return os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY) >= 0


@attempt
def caches_of_the_kernel(_: Outside) -> object:
    return os.open("/proc/sys/vm/drop_caches", os.O_WRONLY) >= 0


@attempt
def kernel_log(_: Outside) -> object:
    return os.open("/dev/kmsg", os.O_RDONLY) >= 0


@attempt
def kernel_log_by_call(_: Outside) -> object:
    return call("syslog", 10, None, 0) > 0


@attempt
def kernel_addresses(_: Outside) -> object:
    lines = Path("/proc/kallsyms").read_text().splitlines()[:50]
    return any(int(line.split()[0], 16) for line in lines)


@attempt
def system_settings_in_sys(_: Outside) -> object:
    return os.open("/sys/kernel/mm/transparent_hugepage/enabled", os.O_WRONLY) >= 0


@attempt
def device_of_the_host(_: Outside) -> object:
    for name in ("loop-control", "fuse", "net/tun", "kvm", "hwrng", "vsock"):
        try:
            return os.open(f"/dev/{name}", os.O_RDONLY) >= 0
        except OSError:
            continue
    return False


@attempt
def device_file_made(outside: Outside) -> object:
    place = Path(outside["scratch"], f"node-{os.getpid()}")
    os.mknod(place, 0o600 | 0o020000, os.makedev(1, 3))
    place.unlink()
    return True


@attempt
def mounting(outside: Outside) -> object:
    # In a mount namespace of its own where that is granted, so that the control leaves nothing behind.
    call("unshare", CLONE_NEWNS)
    call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    return succeeds("mount", b"none", outside["scratch"].encode(), b"tmpfs", 0, None)


@attempt
def mounting_by_the_new_calls(_: Outside) -> object:
    return succeeds("fsopen", b"tmpfs", 0)


@attempt
def cgroup_of_its_own(_: Outside) -> object:
    for folder in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids", "/sys/fs/cgroup"):
        place = Path(folder, f"probe-{os.getpid()}")
        try:
            place.mkdir()
        except OSError:
            continue
        place.rmdir()
        return True
    return False


# Rights, and what the kernel's wide interfaces grant.
@attempt
def being_root(_: Outside) -> object:
    os.setuid(0)
    return os.geteuid() == 0


@attempt
def capabilities(_: Outside) -> object:
    return int(_status("CapEff"), 16) or int(_status("CapBnd"), 16)


@attempt
def new_privileges(_: Outside) -> object:
    return ctypes.CDLL(None).prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0


@attempt
def unfiltered_system_calls(_: Outside) -> object:
    return _status("Seccomp") == "0"


@attempt
def user_namespace(_: Outside) -> object:
    return succeeds("unshare", CLONE_NEWUSER)


@attempt
def user_namespace_by_clone(_: Outside) -> object:
    child = call("clone", CLONE_NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


@attempt
def namespace_of_another_process(outside: Outside) -> object:
    return succeeds("setns", os.open(f"/proc/{outside['victim']}/ns/net", os.O_RDONLY), 0)


@attempt
def changing_the_root(_: Outside) -> object:
    return succeeds("chroot", b"/")


@attempt
def tracing_a_child(_: Outside) -> object:
    child = os.fork()
    if child == 0:
        time.sleep(2)
        os._exit(0)
    try:
        return succeeds("ptrace", PTRACE_ATTACH, child, 0, 0)
    finally:
        os.kill(child, signal.SIGKILL)


@attempt
def reading_a_childs_memory(_: Outside) -> object:
    held = ctypes.create_string_buffer(b"secret")
    into = ctypes.create_string_buffer(6)
    child = os.fork()
    if child == 0:
        time.sleep(2)
        os._exit(0)
    try:
        vectors = [(ctypes.c_size_t * 2)(ctypes.addressof(each), 6) for each in (into, held)]
        return call("process_vm_readv", child, vectors[0], 1, vectors[1], 1, 0) == 6
    finally:
        os.kill(child, signal.SIGKILL)


@attempt
def bpf_program(_: Outside) -> object:
    code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("=IIQQ", 1, 2, ctypes.addressof(code), ctypes.addressof(licence)).ljust(128, b"\0")
    return succeeds("bpf", 5, ctypes.create_string_buffer(attributes), 128)


@attempt
def performance_counter(_: Outside) -> object:
    attributes = struct.pack("=IIQ", 1, 128, 0).ljust(128, b"\0")
    return succeeds("perf_event_open", ctypes.create_string_buffer(attributes), -1, 0, -1, 0)


@attempt
def page_fault_handler(_: Outside) -> object:
    return succeeds("userfaultfd", os.O_CLOEXEC)


@attempt
def io_uring(_: Outside) -> object:
    return succeeds("io_uring_setup", 4, ctypes.create_string_buffer(120))


@attempt
def kernel_keyring(_: Outside) -> object:
    return succeeds("add_key", b"user", b"standfast-probe", b"x", 1, -2)


@attempt
def watching_the_whole_file_system(_: Outside) -> object:
    return succeeds("fanotify_init", 0, os.O_RDONLY)


@attempt
def setting_the_host_name(_: Outside) -> object:
    name = socket.gethostname().encode()
    return succeeds("sethostname", name, len(name))


@attempt
def raising_its_limits(_: Outside) -> object:
    # More than a sandbox grants, less than a host does.
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    return True


@attempt
def going_before_others(_: Outside) -> object:
    os.setpriority(os.PRIO_PROCESS, 0, -5)
    return True


@attempt
def setting_the_clock(_: Outside) -> object:
    # The offset that is there already, so that the control changes nothing.
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.settimeofday(None, ctypes.byref((ctypes.c_int * 2)(0, 0))) == 0


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
        sender.settimeout(1)
        sender.sendto(question, ("127.0.0.1", port))
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


def _status(field: str) -> str:
    """Return a field of this process's status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return line.split()[1]
    return "0"


if __name__ == "__main__":
    main()
