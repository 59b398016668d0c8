"""Quiet probes of the kernel: its files, devices and mounts, the rights of a process, and the wide interfaces with a history of holes."""

import ctypes
import os
import resource
import signal
import socket
import struct
import time
from pathlib import Path

from attempt import Outside, attempt, call, succeeds

PR_GET_NO_NEW_PRIVS = 39
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PTRACE_ATTACH = 16
SYSLOG_READ_ALL, LOG_BYTES = 3, 1024 * 1024


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
def line_of_the_hosts_log(outside: Outside) -> object:
    text = ctypes.create_string_buffer(LOG_BYTES)
    size = call("syslog", SYSLOG_READ_ALL, text, LOG_BYTES)
    return outside["log_line"].encode() in text.raw[:size]


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
def device_of_the_host_by_a_file_made(outside: Outside) -> object:
    # Where the scratch folder is mounted without devices, the control has another.
    for folder in (outside["scratch"], "/dev"):
        place = Path(folder, f"device-{os.getpid()}")
        try:
            os.mknod(place, 0o600 | 0o020000, int(outside["device"]))
            return os.open(place, os.O_RDONLY | os.O_NONBLOCK) >= 0
        except OSError:
            continue
        finally:
            place.unlink(missing_ok=True)
    return False


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


def _status(field: str) -> str:
    """Return a field of this process's status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return line.split()[1]
    return "0"
