"""Escapes and abuse tried by WebAssembly modules. Each succeeds in the weak control: a WASI that hands every call to the operating system.

PROOF B22. A probe that does not succeed in the control proves nothing, so that is a failure too.
"""

import asyncio
import json
import sys
from pathlib import Path

from adapters.sandboxes.wasm import WasmSandbox
from domain.sandbox import MIB, SandboxProfile, SandboxResult
from tests.contracts import wasm_programs
from tests.contracts.sandbox_subjects import module_of
from tests.security.probes.modules import ATTEMPTS, loud, quiet

CONTROL = Path(__file__).with_name("probes") / "careless_wasi.py"
FEWEST = 40
"""PROOF B22: at least so many probes."""
PROFILE = SandboxProfile(
    name="probed", backend="wasm", wall_s=60.0, cpu_s=20.0, memory_bytes=64 * MIB, disk_bytes=2 * MIB, output_bytes=4096
)
TIGHT = {"processor": {"cpu_s": 0.2}, "time": {"wall_s": 0.5}}
"""Limits of the probes that are about time; the others have time enough, so that it is not time which holds them."""
ENDS = {
    "processor": "timeout",
    "time": "timeout",
    "disk in one file": "output",
    "disk in several files": "output",
    "output": "output",
}
"""How those end that break a limit while they run; the others are told no, and end by themselves."""
AT_ONCE = 2
HELD_S = 120


async def modular(sandbox: WasmSandbox, source: str, **limits: float) -> SandboxResult:
    """Run a module."""
    profile = PROFILE.model_copy(update=limits)
    return await sandbox.run(profile, ["probe.wasm"], files={"probe.wasm": module_of(source)})


async def without_a_sandbox(told: dict[str, str], modules: dict[str, str]) -> dict[str, str]:
    """Run modules in the weak control, with the platform's environment and descriptors, and return what each wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CONTROL), "--an-argument-of-the-platform"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        close_fds=False,
        cwd=told["scratch"],
    )
    said, _ = await process.communicate(json.dumps(modules).encode())
    return json.loads(said)


def escaped(digits: str) -> list[str]:
    """Return the quiet probes that got out."""
    return [name for name, digit in zip(ATTEMPTS, digits, strict=True) if digit == "1"]


class TestProbes:
    async def test_all_get_out_where_no_sandbox_is(self, told: dict[str, str]) -> None:
        modules = loud(1, told)
        said = await without_a_sandbox(told, {"quiet": quiet(told), **modules})
        assert sorted(set(ATTEMPTS) - set(escaped(said.pop("quiet")))) == []
        assert [name for name, text in said.items() if not text.endswith("ESCAPED\n")] == []
        assert len(ATTEMPTS) + len(modules) >= FEWEST

    async def test_get_nowhere_quietly(self, told: dict[str, str]) -> None:
        result = await modular(WasmSandbox(warm=0), quiet(told))
        assert (result.ended, result.exit_code, result.stderr) == ("exit", 0, "")
        assert escaped(result.stdout) == []
        assert not Path(told["write_path"]).exists()
        assert Path(told["spare_path"]).exists()

    async def test_get_no_more_than_their_profile_grants(self, told: dict[str, str]) -> None:
        sandbox, modules = WasmSandbox(warm=0), loud(HELD_S, told)
        room = asyncio.Semaphore(AT_ONCE)

        async def ran(name: str, source: str) -> SandboxResult:
            async with room:
                return await modular(sandbox, source, **TIGHT.get(name, {}))

        results = dict(zip(modules, await asyncio.gather(*(ran(*each) for each in modules.items())), strict=True))
        assert [name for name, result in results.items() if "ESCAPED" in result.stdout] == []
        assert {name: result.ended for name, result in results.items()} == {name: ENDS.get(name, "exit") for name in modules}


class TestWasm:
    async def test_says_which_import_is_not_there(self) -> None:
        result = await modular(
            WasmSandbox(warm=0), '(module (import "env" "system" (func (param i32) (result i32))) (func (export "_start")))'
        )
        assert (result.ended, result.exit_code) == ("exit", 126)
        assert "system" in result.stderr

    async def test_hands_no_link_back_as_a_file(self) -> None:
        body = "(drop (call $path_symlink (i32.const 1024) (i32.const 9) (i32.const 3) (i32.const 1033) (i32.const 4)))"
        sandbox, profile = WasmSandbox(warm=0), PROFILE.model_copy(update={"files_out": ("link",)})
        source = wasm_programs.module(body, "../../etclink")
        assert (await sandbox.run(profile, ["probe.wasm"], files={"probe.wasm": module_of(source)})).files == {}

    async def test_hands_back_no_more_than_its_disk(self) -> None:
        lines = "\n".join("(call $say (local.get $i) (i32.const 4096) (i32.const 61440))" for _ in range(80))
        body = f"(local.set $i (call $open (i32.const 1024) (i32.const 3) (i32.const 9) (i64.const 64)))\n{lines}"
        sandbox, profile = WasmSandbox(warm=0), PROFILE.model_copy(update={"files_out": ("big",)})
        result = await sandbox.run(profile, ["probe.wasm"], files={"probe.wasm": module_of(wasm_programs.module(body, "big"))})
        assert len(result.files.get("big", b"")) <= PROFILE.disk_bytes
