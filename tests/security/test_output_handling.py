"""PROOF B30: what a model says is data. Hostile texts go through the places that take them, and nothing of them is run."""

import ast
import base64
import pickle
from pathlib import Path

import pytest
from pydantic import JsonValue

from adapters.tools.builtins.calc import Calc
from adapters.tools.builtins.files import FileRead, FileWrite
from adapters.tools.builtins.http_request import HttpRequest
from adapters.tools.builtins.json_query import JsonQuery
from adapters.tools.builtins.remembering import MemorySave
from adapters.tools.builtins.shell_run import ShellRun
from adapters.tools.builtins.web_fetch import WebFetch
from cli.screen import clean
from domain.egress import EgressRules
from domain.errors import ToolFailed
from domain.sandbox import SandboxProfile, SandboxResult
from domain.visible_text import visible_lines
from tests.adapters.tools.builtins.calling import call_of, called
from tests.architecture.sources import modules_of, shown, tree_of
from tests.fake_sandbox import FakeSandbox
from tests.fake_workspace import FakeWorkspace
from tests.outbound import outbound

MARK = Path("/tmp/standfast-was-here")  # noqa: S108 - nobody makes it, which is the point


class Exploit:
    """Makes the mark when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Name what unpickling would call."""
        return (MARK.write_text, ("x",))


HOSTILE = [
    "'; DROP TABLE runs; --",
    f"$(touch {MARK}) `touch {MARK}`; touch {MARK}",
    f"__import__('os').system('touch {MARK}')",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "{{ cycler.__init__.__globals__.os.system('id') }}${ input.secret }{% raw %}",
    "a\r\nSet-Cookie: admin=1\r\n\r\n<html>",
    "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp",
    base64.b64encode(pickle.dumps(Exploit())).decode(),
    "!!python/object/apply:os.system ['id']",
    "=cmd|' /C calc'!A0",
]
BANNED_CALLS = frozenset(
    {
        *("eval", "exec", "os.system", "os.popen", "pickle.loads", "pickle.load", "marshal.loads"),
        *("yaml.load", "yaml.unsafe_load"),
    }
)
BANNED_IMPORTS = frozenset({"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml"})


@pytest.mark.parametrize("text", HOSTILE)
class TestHostileText:
    async def test_is_no_sum_and_no_path(self, text: str) -> None:
        with pytest.raises(ToolFailed):
            await Calc().call(call_of(Calc(), {"expression": text}))
        with pytest.raises(ToolFailed):
            await JsonQuery().call(call_of(JsonQuery(), {"path": text, "document": {}}))
        assert not MARK.exists()

    async def test_is_kept_as_it_is(self, text: str) -> None:
        workspace = FakeWorkspace()
        await called(FileWrite(workspace), path="a.txt", content=text)
        assert (await called(FileRead(workspace), path="a.txt"))["content"] == text
        with pytest.raises(ToolFailed):
            await MemorySave(None).call(call_of(MemorySave(None), {"text": text}))
        assert not MARK.exists()

    async def test_is_no_url(self, text: str) -> None:
        for tool in (HttpRequest(outbound(), rules=EgressRules()), WebFetch(outbound(), rules=EgressRules())):
            arguments: dict[str, JsonValue] = {"method": "GET", "url": text}
            with pytest.raises(ToolFailed):
                await tool.call(call_of(tool, arguments))

    async def test_runs_in_a_sandbox_alone(self, text: str) -> None:
        sandbox = FakeSandbox(answer=SandboxResult(ended="exit", exit_code=0, stdout=text, stderr=""))
        told = await called(ShellRun(sandbox, SandboxProfile(name="p", backend="bubblewrap")), command=text)
        assert told["stdout"] == text
        assert sandbox.runs[0][1] == ["/bin/sh", "-c", text], "one argument of the sandbox's own shell"
        assert not MARK.exists()

    def test_commands_no_terminal_and_hides_nothing(self, text: str) -> None:
        assert all(char.isprintable() or char == "\n" for char in clean(text))
        assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(visible_lines(text))


class TestSources:
    @pytest.mark.parametrize(
        "module", modules_of("domain", "activities", "sagas", "workflows", "adapters", "wiring", "api", "cli", "standfast_sdk"), ids=shown
    )
    def test_run_nothing_that_is_text(self, module: Path) -> None:
        for node in ast.walk(tree_of(module)):
            assert not (isinstance(node, ast.Call) and _runs_text(node)), f"line {node.lineno}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                assert not BANNED_IMPORTS & {name.partition(".")[0] for name in names}

    @pytest.mark.parametrize("source", ["eval(x)", "os.system(x)", "pickle.loads(x)", "subprocess.run(x, shell=True)", "yaml.load(x)"])
    def test_that_would_are_found(self, source: str) -> None:
        [call] = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
        assert _runs_text(call)


def _runs_text(call: ast.Call) -> bool:
    shell = any(each.arg == "shell" and not (isinstance(each.value, ast.Constant) and each.value.value is False) for each in call.keywords)
    return shell or ast.unparse(call.func) in BANNED_CALLS
