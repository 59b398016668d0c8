"""What only the monty backend does."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator

import pytest
from pydantic import JsonValue

from adapters.sandboxes.monty import MontySandbox
from domain.errors import InvalidInput
from domain.sandbox import SandboxProfile, SandboxResult

PROFILE = SandboxProfile(name="small", backend="monty", wall_s=2.0, cpu_s=1.0, memory_bytes=32 * 1024 * 1024, output_bytes=1000)


@pytest.fixture
async def monty() -> AsyncGenerator[MontySandbox]:
    """One pool."""
    async with MontySandbox(workers=2) as sandbox:
        yield sandbox


async def run(monty: MontySandbox, code: str, **files: bytes) -> SandboxResult:
    """Run a snippet; `data_txt=b"…"` is the file data.txt."""
    given = {name.replace("_", "."): content for name, content in files.items()}
    return await monty.run(PROFILE, ["python", "main.py"], files={"main.py": code.encode(), **given})


class TestMontyValue:
    @pytest.mark.parametrize(
        ("code", "value"),
        [
            ("[1, 2.5, None, True, 'ü']", [1, 2.5, None, True, "ü"]),
            ("{1: {2, 1}, 'b': (3,)}", {"1": [1, 2], "b": [3]}),
            ("float('nan')", "nan"),
            ("2 ** 53", "9007199254740992"),
            ("10 ** 5000", "an integer of 16610 bits"),
            ("import datetime\ndatetime.date(2013, 1, 5)", "2013-01-05"),
        ],
    )
    async def test_is_json(self, monty: MontySandbox, code: str, value: JsonValue) -> None:
        assert json.loads((await run(monty, code)).value or "") == value

    async def test_is_cut_off_when_it_exceeds_the_output_limit(self, monty: MontySandbox) -> None:
        result = await run(monty, "'x' * 100000")
        assert (result.ended, result.value, result.truncated) == ("output", None, True)

    async def test_may_not_take_more_memory_on_its_way_out(self, monty: MontySandbox) -> None:
        assert (await run(monty, "[[i] for i in range(10 ** 6)]")).ended == "memory"


class TestMontySandbox:
    async def test_binds_the_inputs(self, monty: MontySandbox) -> None:
        assert (await run(monty, "inputs['a'] + 1", inputs_json=b'{"a": 41}')).value == "42"

    @pytest.mark.parametrize("code", ["open('/etc/passwd').read()", "import socket", "import subprocess", "__import__('os').system('id')"])
    async def test_has_no_way_out(self, monty: MontySandbox, code: str) -> None:
        result = await run(monty, code)
        assert (result.ended, result.exit_code, result.value) == ("exit", 1, None)

    async def test_shares_nothing_between_runs(self, monty: MontySandbox) -> None:
        await run(monty, "leaked = 1")
        assert "NameError" in (await run(monty, "leaked")).stderr

    async def test_cannot_swallow_its_timeout(self, monty: MontySandbox) -> None:
        result = await run(monty, "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass")
        assert result.ended == "timeout"

    async def test_serves_more_runs_than_it_has_workers(self, monty: MontySandbox) -> None:
        results = await asyncio.gather(*(run(monty, f"{number} + 1") for number in range(20)))
        assert [result.value for result in results] == [str(number + 1) for number in range(20)]

    async def test_starts_again_after_it_was_closed(self, monty: MontySandbox) -> None:
        await run(monty, "1")
        await monty.aclose()
        assert (await run(monty, "2")).value == "2"

    @pytest.mark.parametrize("environment", [{"MONTY_BIN": "/nowhere"}, {"PATH": ""}], ids=["elsewhere", "nowhere"])
    def test_says_what_to_install_where_its_program_is_missing(self, environment: dict[str, str]) -> None:
        asked = (
            "import asyncio, sysconfig; sysconfig.get_path = lambda *_: '/nowhere'\n"
            "from adapters.sandboxes.monty import MontySandbox; print(asyncio.run(MontySandbox().missing()))"
        )
        told = subprocess.run([sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True)
        assert "the monty worker does not start" in told.stdout
        assert "install pydantic-monty==" in told.stdout

    async def test_refuses_what_it_cannot_run(self, monty: MontySandbox) -> None:
        with pytest.raises(InvalidInput, match=r"only `python main\.py`"):
            await monty.run(PROFILE, ["sh", "-c", "id"], files={})
        with pytest.raises(InvalidInput, match="standard input"):
            await monty.run(PROFILE, ["python", "main.py"], files={"main.py": b""}, stdin=b"x")
        with pytest.raises(InvalidInput, match="UTF-8"):
            await monty.run(PROFILE, ["python", "main.py"], files={"main.py": b"\xff"})
