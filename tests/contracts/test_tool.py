"""What every tool and every toolbox does, run on the real ones and on their fakes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from pydantic import JsonValue

from adapters.sandboxes.monty import MontySandbox
from adapters.sandboxes.profiles import DEFAULT_PROFILES
from adapters.tools.http_tool import HttpTool
from adapters.tools.python_run import PythonRun
from adapters.tools.registry import ToolRegistry
from domain.errors import ToolFailed
from domain.schemas import check_schema, validate_arguments, validate_output
from domain.tools import Tool, ToolBox, ToolCall
from tests.adapters.tools.raw_server import answer, serving
from tests.adapters.tools.tool_calls import declaration, no_secret, tool_call
from tests.fake_tools import DEFAULT_SPEC, FakeTool, FakeToolBox
from tests.outbound import outbound


@dataclass(frozen=True)
class Subject:
    """A tool, a call that it answers, a call that never ends, and how to wait until that one runs."""

    tool: Tool
    good: ToolCall
    endless: ToolCall
    running: Callable[[], Awaitable[object]]


async def _soon() -> None:
    """Let the call begin; for tools that cannot say when they have."""
    for _ in range(20):
        await asyncio.sleep(0)


async def python_subject() -> AsyncGenerator[Subject]:
    """`python.run` on the embedded sandbox."""
    async with MontySandbox() as sandbox:
        tool = PythonRun(sandbox, DEFAULT_PROFILES["python-small"])
        yield Subject(tool, tool_call({"code": "1 + 1"}), tool_call({"code": "while True: pass"}), _soon)


async def http_subject() -> AsyncGenerator[Subject]:
    """A declared call to a local server, which answers once and then never again."""
    async with serving(answer(200, '{"payment": 1}'), None) as server:
        declared = declaration(url=server.url + "/{claim_id}", output={"type": "object", "required": ["payment"]})
        tool = HttpTool(declared, resolve_secret=no_secret, outbound=outbound())
        call = tool_call({"claim_id": "c1", "amount": "1.00"})
        yield Subject(tool, call, call, server.arrived.wait)
        await tool.aclose()


async def fake_subject() -> AsyncGenerator[Subject]:
    """The fake, held back once it has answered."""
    tool = FakeTool(DEFAULT_SPEC, {"said": "hello"})
    yield Subject(tool, tool_call({"text": "hello"}), tool_call({"text": "wait"}), tool.begun.wait)


SUBJECTS = {"python.run": python_subject, "http": http_subject, "the fake": fake_subject}


@pytest.fixture(params=list(SUBJECTS))
async def subject(request: pytest.FixtureRequest) -> AsyncGenerator[Subject]:
    """Each tool in turn."""
    name: str = request.param
    async for made in SUBJECTS[name]():
        yield made


class TestTool:
    async def test_declares_usable_schemas(self, subject: Subject) -> None:
        check_schema(subject.tool.spec.input_schema)
        check_schema(subject.tool.spec.output_schema)
        assert validate_arguments(subject.tool.spec, subject.good.arguments) == []

    async def test_declares_the_same_each_time(self, subject: Subject) -> None:
        assert subject.tool.spec == subject.tool.spec

    async def test_answers_what_it_declares(self, subject: Subject) -> None:
        assert validate_output(subject.tool.spec, await subject.tool.call(subject.good)) == []

    async def test_stops_when_cancelled(self, subject: Subject) -> None:
        await subject.tool.call(subject.good)
        if isinstance(subject.tool, FakeTool):
            subject.tool.released.clear()
        calling = asyncio.create_task(subject.tool.call(subject.endless))
        await subject.running()
        await _soon()
        calling.cancel()
        async with asyncio.timeout(2):
            with pytest.raises(asyncio.CancelledError):
                await calling


def tools() -> list[FakeTool]:
    """Return two tools, one in two versions, in no order."""
    versions = [("b.two", "1.0.0"), ("a.one", "1.10.0"), ("a.one", "1.9.0")]
    return [FakeTool(DEFAULT_SPEC.model_copy(update={"name": name, "version": version})) for name, version in versions]


BOXES: dict[str, Callable[[list[FakeTool]], ToolBox]] = {"the registry": ToolRegistry, "the fake": lambda made: FakeToolBox(*made)}


class TestToolBox:
    @pytest.fixture(params=list(BOXES))
    def box(self, request: pytest.FixtureRequest) -> ToolBox:
        """Each toolbox in turn."""
        name: str = request.param
        return BOXES[name](tools())

    def test_lists_tools_by_name_and_version(self, box: ToolBox) -> None:
        assert [(spec.name, spec.version) for spec in box.specs()] == [("a.one", "1.9.0"), ("a.one", "1.10.0"), ("b.two", "1.0.0")]

    def test_finds_a_tool(self, box: ToolBox) -> None:
        assert box.find("a.one", "1.10.0").spec.version == "1.10.0"

    @pytest.mark.parametrize(("name", "version", "told"), [("a.one", "3.0.0", "1.10.0"), ("c.three", "1.0.0", "b.two")])
    def test_says_what_it_has_when_a_tool_is_missing(self, box: ToolBox, name: str, version: str, told: str) -> None:
        with pytest.raises(ToolFailed) as caught:
            box.find(name, version)
        assert told in caught.value.detail


def test_arguments_that_break_the_schema_are_told_by_place() -> None:
    arguments: dict[str, JsonValue] = {"text": 3}
    assert validate_arguments(DEFAULT_SPEC, arguments) == ['/text: 3 is not of type "string"']
