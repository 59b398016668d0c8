"""Escapes tried in the two sandboxes of a language: Python in Monty, WebAssembly under wasmtime. Each gets out in a weak control.

The control of Monty is CPython itself; that of WebAssembly is the same module with the whole file system opened to it and no limits.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import wasmtime

from adapters.sandboxes.monty import MontySandbox
from adapters.sandboxes.wasm import PREFIX, WasmSandbox
from domain.sandbox import MIB, SandboxProfile, SandboxResult
from tests.contracts import wasm_programs
from tests.contracts.sandbox_subjects import module_of
from tests.security.probes.outside import outside

MONTY = SandboxProfile(name="probed", backend="monty", wall_s=3.0, cpu_s=2.0, memory_bytes=64 * MIB, disk_bytes=2 * MIB)
WASM = SandboxProfile(name="probed", backend="wasm", wall_s=3.0, cpu_s=2.0, memory_bytes=64 * MIB, disk_bytes=2 * MIB)

PYTHON = {
    "a file by its path": "print('canary' in open({secret_path!r}).read())",
    "a file by climbing": "print('canary' in open('../' * 20 + {secret_path!r}).read())",
    "a file by pathlib": "from pathlib import Path\nprint('canary' in Path({secret_path!r}).read_text())",
    "a file planted": "open({write_path!r}, 'w').write('x')\nfrom pathlib import Path\nprint(Path({write_path!r}).exists())",
    "the environment": "import os\nprint(any('canary' in value for value in os.environ.values()))",
    "another process's environment": "print('canary' in open('/proc/{victim}/environ').read())",
    "a socket": "import socket\nprint(socket.create_connection(('127.0.0.1', {tcp_port}), 2).recv(5) == b'hello')",
    "a web request": "import urllib.request\nprint(bool(urllib.request.Request('http://127.0.0.1:{tcp_port}/')))",
    "a program": "import subprocess\nprint(subprocess.run(['/bin/true']).returncode == 0)",
    "a shell": "import os\nprint(os.system('true') == 0)",
    "a module by its name as text": "print(__import__('os').getpid() > 0)",
    "the C library": "import ctypes\nprint(ctypes.CDLL(None).getpid() > 0)",
    "a signal": "import os\nos.kill({victim}, 10)\nprint(True)",
    "a thread": "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()\nprint(True)",
    "the classes behind everything": "print(len(().__class__.__base__.__subclasses__()) > 50)",
    "the frames below": "import sys\nprint(sys._getframe(0).f_globals is not None)",
    "the garbage collector": "import gc\nprint(len(gc.get_objects()) > 50)",
    "code made at run time": "print(eval('open')({secret_path!r}).read().startswith('canary'))",
    "code made from its parts": "print(compile('1', 'x', 'eval').replace(co_name='y').co_name == 'y')",
    "data that runs when it is read": "import pickle\nprint(pickle.loads(b'cos\\ngetpid\\n(tR.') > 0)",
}
"""Each prints True where it got out."""


@pytest.fixture
async def monty() -> AsyncGenerator[MontySandbox]:
    """One pool."""
    async with MontySandbox(workers=2) as sandbox:
        yield sandbox


class TestMonty:
    async def test_lets_nothing_out_that_python_lets_out(self, monty: MontySandbox) -> None:
        async with outside() as told:
            numbers = {key: int(value) if value.isdigit() else value for key, value in told.items()}
            for name, source in PYTHON.items():
                code = source.format(**numbers)
                held = await monty.run(MONTY, ["python", "main.py"], files={"main.py": code.encode()})
                assert "True" not in held.stdout, name
                assert not Path(told["write_path"]).exists(), name
                process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
                assert process.stdout is not None
                assert (await process.stdout.read()).endswith(b"True\n"), name
                await process.wait()
                Path(told["write_path"]).unlink(missing_ok=True)

    @pytest.mark.parametrize(
        "code",
        [
            "for i in range(900):\n    open(f'f{i}', 'w').write('x' * 10000)",
            "open('a', 'w').write('x' * 3000000)",
            "with open('a', 'a') as f:\n    for i in range(900):\n        f.write('x' * 10000)",
        ],
        ids=["many files", "one large file", "one growing file"],
    )
    async def test_keeps_its_files_out_of_the_platform_s_memory(self, monty: MontySandbox, code: str) -> None:
        result = await monty.run(MONTY, ["python", "main.py"], files={"main.py": code.encode()})
        assert "No space left on device" in result.stderr


def reads(path: str) -> str:
    """Return a module that prints a file of the host, or `held`."""
    return wasm_programs.shows(path, "held")


async def modular(source: str) -> SandboxResult:
    """Run a module."""
    sandbox = WasmSandbox(warm=0)
    return await sandbox.run(WASM, ["probe.wasm"], files={"probe.wasm": module_of(source)})


def unsandboxed(source: str, folder: Path, out: Path) -> None:
    """Run a module with the folder's parent opened to it: the weak control."""
    engine = wasmtime.Engine()
    store, linker, wasi = wasmtime.Store(engine), wasmtime.Linker(engine), wasmtime.WasiConfig()
    wasi.preopen_dir(str(folder), "/")
    wasi.stdout_file = str(out)
    store.set_wasi(wasi)
    linker.define_wasi()
    start = linker.instantiate(store, wasmtime.Module(engine, module_of(source))).exports(store)["_start"]
    assert isinstance(start, wasmtime.Func)
    start(store)


class TestWasm:
    @pytest.mark.parametrize("way", ["secret.txt", "../secret.txt", "work/../../secret.txt", "/secret.txt"])
    async def test_reads_no_file_of_the_host(self, way: str, tmp_path: Path) -> None:
        async with outside() as told:
            home = Path(told["secret_path"]).parent
            aimed = way.replace("secret.txt", str(home / "secret.txt").lstrip("/")) if way != "secret.txt" else way
            assert (await modular(reads(aimed))).stdout == "held"
            unsandboxed(reads("secret.txt"), home, tmp_path / "out")
            assert told["canary"] in (tmp_path / "out").read_text(encoding="utf-8")

    async def test_reads_no_file_through_a_link_it_was_given(self, tmp_path: Path) -> None:
        # A module cannot be given a link; one that it makes itself leads nowhere outside either.
        body = """(drop (call $path_symlink (i32.const 1024) (i32.const 11) (i32.const 3) (i32.const 1035) (i32.const 4)))
(local.set $i (call $open (i32.const 1035) (i32.const 4) (i32.const 0) (i64.const 2)))
(if (i32.eq (local.get $i) (i32.const -1))
  (then (call $say (i32.const 1) (i32.const 1039) (i32.const 4)))
  (else (call $say (i32.const 1) (i32.const 4096) (call $read (local.get $i)))))"""
        del tmp_path
        assert (await modular(wasm_programs.module(body, "/etc/passwdlinkheld"))).stdout == "held"

    async def test_has_no_import_beside_wasi(self) -> None:
        module = '(module (import "env" "system" (func (param i32) (result i32))) (func (export "_start")))'
        result = await modular(module)
        assert (result.ended, result.exit_code) == ("exit", 126)
        assert "system" in result.stderr

    async def test_hands_no_link_back_as_a_file(self) -> None:
        body = "(drop (call $path_symlink (i32.const 1024) (i32.const 9) (i32.const 3) (i32.const 1033) (i32.const 4)))"
        sandbox, profile = WasmSandbox(warm=0), WASM.model_copy(update={"files_out": ("link",)})
        source = wasm_programs.module(body, "../../etclink")
        assert (await sandbox.run(profile, ["probe.wasm"], files={"probe.wasm": module_of(source)})).files == {}

    async def test_fills_no_disk_of_the_host(self) -> None:
        lines = "\n".join("(call $say (local.get $i) (i32.const 4096) (i32.const 61440))" for _ in range(80))
        body = f"(local.set $i (call $open (i32.const 1024) (i32.const 3) (i32.const 9) (i64.const 64)))\n{lines}"
        sandbox, profile = WasmSandbox(warm=0), WASM.model_copy(update={"files_out": ("big",)})
        result = await sandbox.run(profile, ["probe.wasm"], files={"probe.wasm": module_of(wasm_programs.module(body, "big"))})
        assert len(result.files.get("big", b"")) <= WASM.disk_bytes

    async def test_leaves_no_folder_behind(self) -> None:
        before = set(Path("/tmp").glob(f"{PREFIX}*"))  # noqa: S108 (where the folders are made)
        await modular(wasm_programs.writes("left.txt", "written"))
        assert set(Path("/tmp").glob(f"{PREFIX}*")) <= before  # noqa: S108 (the same)
