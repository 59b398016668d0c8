"""The tool `python.run`: what the model reads, on the sandbox that needs nothing and on a whole CPython."""

from collections.abc import AsyncGenerator

import pytest
from pydantic import JsonValue

from adapters.sandboxes.bubblewrap import BubblewrapSandbox
from adapters.sandboxes.monty import MontySandbox
from adapters.sandboxes.profiles import DEFAULT_PROFILES
from adapters.tools.builtins.shell_run import ShellRun
from adapters.tools.python_run import PythonRun
from domain.errors import SandboxUnavailable, ToolFailed, ToolUnavailable
from domain.sandbox import SandboxResult
from domain.schemas import validate_output
from tests.adapters.tools.tool_calls import tool_call
from tests.facilities import require
from tests.fake_sandbox import FakeSandbox

SMALL = DEFAULT_PROFILES["python-small"]
NETWORKED = DEFAULT_PROFILES["python-full"].model_copy(update={"network": "allow", "egress": ("api.example",)})
FULL = DEFAULT_PROFILES["python-full"].model_copy(update={"wall_s": 3.0, "cpu_s": 1.0})


@pytest.fixture(params=["monty", "bubblewrap"])
async def python_run(request: pytest.FixtureRequest) -> AsyncGenerator[PythonRun]:
    """The tool on each backend that has Python."""
    if request.param == "bubblewrap":
        require("bubblewrap")
        yield PythonRun(BubblewrapSandbox(), FULL)
    else:
        async with MontySandbox() as sandbox:
            yield PythonRun(sandbox, SMALL.model_copy(update={"wall_s": 1.0, "cpu_s": 1.0}))


async def called(tool: PythonRun, code: str, inputs: JsonValue = None) -> dict[str, JsonValue]:
    """Run the code and check that the result fits what the tool declares."""
    arguments: dict[str, JsonValue] = {"code": code} if inputs is None else {"code": code, "inputs": inputs}
    result = await tool.call(tool_call(arguments, tool="python.run"))
    assert validate_output(tool.spec, result) == []
    assert isinstance(result, dict)
    return result


class TestPythonRun:
    async def test_returns_the_last_expression_and_what_was_printed(self, python_run: PythonRun) -> None:
        result = await called(python_run, "print('summing')\nsum(inputs['delays'])", {"delays": [12, 30]})
        assert result == {"ended": "exit", "exit_code": 0, "stdout": "summing\n", "stderr": "", "value": 42, "truncated": False}

    async def test_has_empty_inputs_when_none_are_given(self, python_run: PythonRun) -> None:
        assert (await called(python_run, "inputs"))["value"] == {}

    async def test_lets_the_model_read_its_mistake(self, python_run: PythonRun) -> None:
        result = await called(python_run, "total = 1\ntotal / 0")
        assert (result["ended"], result["exit_code"], result["value"]) == ("exit", 1, None)
        assert "ZeroDivisionError" in str(result["stderr"])

    async def test_lets_the_model_read_a_mistake_in_the_syntax(self, python_run: PythonRun) -> None:
        assert "SyntaxError" in str((await called(python_run, "def total(:"))["stderr"])

    @pytest.mark.parametrize(
        ("code", "ended"),
        [
            ("while True: pass", "timeout"),
            ("x = []\nwhile True: x.append('y' * 100000 + str(len(x)))", "memory"),
            ("while True: print('y' * 1000000)", "output"),
        ],
    )
    async def test_lets_the_model_read_that_a_limit_ended_it(self, python_run: PythonRun, code: str, ended: str) -> None:
        assert (await called(python_run, code))["ended"] == ended

    @pytest.mark.parametrize(("code", "value"), [("2 ** 60", "1152921504606846976"), ("-5", -5), ("[True, None, 1.5]", [True, None, 1.5])])
    async def test_returns_values_that_canonical_json_can_carry(self, python_run: PythonRun, code: str, value: JsonValue) -> None:
        assert (await called(python_run, code))["value"] == value

    async def test_returns_a_value_of_another_type_as_text(self, python_run: PythonRun) -> None:
        assert "2013" in str((await called(python_run, "import datetime\ndatetime.date(2013, 1, 5)"))["value"])

    async def test_returns_a_value_nested_too_deeply_as_text(self, python_run: PythonRun) -> None:
        value = (await called(python_run, "nested = []\nfor _ in range(100):\n    nested = [nested]\nnested"))["value"]
        assert value == "[" * 101 + "]" * 101

    async def test_refuses_code_that_is_no_text(self) -> None:
        with pytest.raises(ToolFailed, match="code"):
            await PythonRun(FakeSandbox(), SMALL).call(tool_call({"code": 3}))

    async def test_may_be_tried_again_when_the_sandbox_broke(self) -> None:
        broken = FakeSandbox(answer=SandboxResult(ended="error", exit_code=137, stdout="", stderr="the worker died"))
        with pytest.raises(ToolUnavailable, match="the worker died"):
            await PythonRun(broken, SMALL).call(tool_call({"code": "1"}))

    async def test_says_what_to_install_when_the_sandbox_is_missing(self) -> None:
        with pytest.raises(SandboxUnavailable, match="install it"):
            await PythonRun(FakeSandbox(missing_reason="install it"), SMALL).call(tool_call({"code": "1"}))

    async def test_names_its_profile(self) -> None:
        assert PythonRun(FakeSandbox(), SMALL).spec.sandbox == "python-small"


class TestNetwork:
    """A profile with a network makes another tool of it."""

    @pytest.mark.parametrize("made", [PythonRun, ShellRun])
    def test_makes_it_a_write_whose_code_no_untrusted_source_chooses_alone(self, made: type[PythonRun] | type[ShellRun]) -> None:
        still, reaching = (made(FakeSandbox(), profile).spec for profile in (FULL, NETWORKED))
        assert (still.effect_class, still.egress, reaching.effect_class, reaching.egress) == ("none", (), "write", ("api.example",))
        assert reaching.retry_class == "at_most_once"
        assert reaching.trust == "untrusted"
        assert set(reaching.guarded) > set(still.guarded)
        assert "api.example and nothing else" in reaching.description
        assert "without network" in still.description
