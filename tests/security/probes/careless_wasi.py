"""The weak control of WebAssembly probes: a WASI that hands each call to the operating system as it stands, without any limit. A program.

    python careless_wasi.py ARGUMENTS-THAT-A-MODULE-SHOULD-NOT-SEE

It reads modules by name (JSON, as text) from standard input, runs each in a thread of its own with the current folder as its work
folder, and writes what each wrote to its standard output.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import wasmtime

FOLDER = 3
FAILED = 28
"""WASI's `inval`, for whatever the operating system refuses."""
STACK_BYTES = 2 * 1024 * 1024
"""The most that wasmtime gives a module."""
CREATE, DIRECTORY, TRUNCATE = 1, 2, 8
WRITE = 1 << 6
"""WASI's oflags, and its right fd_write."""
TIMEOUT_AT = 24
"""Where a subscription of `poll_oneoff` has its timeout, in nanoseconds."""


class CarelessWasi:
    """One module and its host."""

    def __init__(self) -> None:
        self.said = bytearray()
        self._memory: wasmtime.Memory | None = None
        self._caller: wasmtime.Caller | None = None

    def run(self, source: str) -> str:
        """Run a module with everything that wasmtime can allow, and return what it wrote."""
        config = wasmtime.Config()
        config.wasm_threads = True
        config.max_wasm_stack = STACK_BYTES
        engine = wasmtime.Engine(config)
        store, module = wasmtime.Store(engine), wasmtime.Module(engine, bytes(wasmtime.wat2wasm(source)))
        linker = wasmtime.Linker(engine)
        for wanted in module.imports:
            name = (wanted.name or "").replace("-", "_")
            linker.define_func(
                *(wanted.module, wanted.name or "", cast("wasmtime.FuncType", wanted.type), self._host(name)), access_caller=True
            )
        start = linker.instantiate(store, module).exports(store)["_start"]
        assert isinstance(start, wasmtime.Func)
        start(store)
        return self.said.decode("latin-1")

    def _host(self, name: str) -> Callable[..., int]:
        """Return a function as wasmtime calls it."""
        function = cast("Callable[..., int | None]", getattr(self, name))

        def called(caller: wasmtime.Caller, *arguments: int) -> int:
            self._caller, memory = caller, caller["memory"]
            assert isinstance(memory, wasmtime.Memory)
            self._memory = memory
            try:
                return function(*arguments) or 0
            except OSError:
                return FAILED

        return called

    def _bytes(self, at: int, size: int) -> bytes:
        assert self._memory is not None
        assert self._caller is not None
        return bytes(self._memory.read(self._caller, at, at + size))

    def _put(self, at: int, data: bytes) -> None:
        assert self._memory is not None
        assert self._caller is not None
        self._memory.write(self._caller, data, at)

    def _word(self, at: int) -> int:
        return struct.unpack("<I", self._bytes(at, 4))[0]

    def _put_word(self, at: int, word: int) -> None:
        self._put(at, struct.pack("<I", word))

    def args_sizes_get(self, count_at: int, size_at: int) -> None:
        self._put_word(count_at, len(sys.argv))
        self._put_word(size_at, sum(len(each) + 1 for each in sys.argv))

    def environ_sizes_get(self, count_at: int, size_at: int) -> None:
        self._put_word(count_at, len(os.environ))
        self._put_word(size_at, len(self._environment()))

    def environ_get(self, _pointers: int, at: int) -> None:
        self._put(at, self._environment())

    def _environment(self) -> bytes:
        return b"".join(f"{name}={value}\0".encode() for name, value in os.environ.items())

    def fd_close(self, fd: int) -> None:
        os.close(fd)

    def fd_fdstat_get(self, fd: int, _at: int) -> None:
        os.fstat(fd)

    def fd_filestat_set_size(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def fd_prestat_get(self, fd: int, at: int) -> None:
        self._put_word(at + 4, len(str(Path(f"/proc/self/fd/{fd}").readlink())))

    def fd_pread(self, fd: int, vectors: int, _count: int, offset: int, told: int) -> None:
        self._read(os.pread(fd, self._word(vectors + 4), offset), vectors, told)

    def fd_read(self, fd: int, vectors: int, _count: int, told: int) -> None:
        self._read(os.read(fd, self._word(vectors + 4)), vectors, told)

    def _read(self, data: bytes, vectors: int, told: int) -> None:
        self._put(self._word(vectors), data)
        self._put_word(told, len(data))

    def fd_readdir(self, fd: int, at: int, size: int, _cookie: int, told: int) -> None:
        listed = "\n".join(os.listdir(fd)).encode()[:size]
        self._put(at, listed)
        self._put_word(told, len(listed))

    def fd_write(self, fd: int, vectors: int, _count: int, told: int) -> None:
        data = self._bytes(self._word(vectors), self._word(vectors + 4))
        if fd == 1:
            self.said += data
            self._put_word(told, len(data))
        else:
            self._put_word(told, os.write(fd, data))

    def path_create_directory(self, fd: int, at: int, size: int) -> None:
        os.mkdir(self._bytes(at, size), dir_fd=fd)

    def path_filestat_get(self, fd: int, _flags: int, at: int, size: int, _to: int) -> None:
        os.stat(self._bytes(at, size), dir_fd=fd)

    def path_filestat_set_times(self, fd: int, _flags: int, at: int, size: int, read: int, written: int, _which: int) -> None:
        os.utime(self._bytes(at, size), ns=(read, written), dir_fd=fd)

    def path_link(self, fd: int, _flags: int, at: int, size: int, to: int, to_at: int, to_size: int) -> None:  # noqa: PLR0917 - WASI's order
        os.link(self._bytes(at, size), self._bytes(to_at, to_size), src_dir_fd=fd, dst_dir_fd=to)

    def path_open(self, fd: int, _lookup: int, at: int, size: int, how: int, rights: int, *rest: int) -> None:
        flags = (os.O_WRONLY if rights & WRITE else os.O_RDONLY) | (os.O_CREAT if how & CREATE else 0)
        flags |= (os.O_DIRECTORY if how & DIRECTORY else 0) | (os.O_TRUNC if how & TRUNCATE else 0)
        self._put_word(rest[-1], os.open(self._bytes(at, size), flags, 0o644, dir_fd=fd))

    def path_readlink(self, fd: int, at: int, size: int, to: int, room: int, told: int) -> None:  # noqa: PLR0917 - WASI's order
        found = os.readlink(self._bytes(at, size), dir_fd=fd)[:room]
        self._put(to, found)
        self._put_word(told, len(found))

    def path_remove_directory(self, fd: int, at: int, size: int) -> None:
        os.rmdir(self._bytes(at, size), dir_fd=fd)

    def path_rename(self, fd: int, at: int, size: int, to: int, to_at: int, to_size: int) -> None:  # noqa: PLR0917 - WASI's order
        os.rename(self._bytes(at, size), self._bytes(to_at, to_size), src_dir_fd=fd, dst_dir_fd=to)

    def path_symlink(self, to_at: int, to_size: int, fd: int, at: int, size: int) -> None:
        os.symlink(self._bytes(to_at, to_size), self._bytes(at, size), dir_fd=fd)

    def path_unlink_file(self, fd: int, at: int, size: int) -> None:
        os.unlink(self._bytes(at, size), dir_fd=fd)

    def poll_oneoff(self, subscriptions: int, _events: int, _count: int, told: int) -> None:
        time.sleep(struct.unpack("<Q", self._bytes(subscriptions + TIMEOUT_AT, 8))[0] / 1e9)
        self._put_word(told, 1)

    # What no sandbox offers, under the names that others have given it.
    def system(self, _command: int) -> int:
        return int(subprocess.run(["true"], check=False).returncode == 0)

    def thread_spawn(self, _argument: int) -> int:
        thread = threading.Thread(target=time.monotonic)
        thread.start()
        thread.join()
        return 1

    def sock_connect(self, port: int) -> int:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connected:
            return int(connected.recv(5) == b"hello")


def run(source: str) -> str:
    """Run a module on a host of its own, and return what it wrote."""
    return CarelessWasi().run(source)


def main() -> None:
    """Run what is asked for."""
    folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    os.dup2(folder, FOLDER)
    os.open("/", os.O_RDONLY | os.O_DIRECTORY)  # and left open
    threading.stack_size(4 * STACK_BYTES)
    modules: dict[str, str] = json.load(sys.stdin)
    with ThreadPoolExecutor(len(modules)) as executor:
        said = dict(zip(modules, executor.map(run, modules.values()), strict=True))
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
