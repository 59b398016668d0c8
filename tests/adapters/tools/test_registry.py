"""The registry: what it refuses, and how plugins enter."""

from importlib.metadata import EntryPoint

import pytest

from adapters.tools.registry import ToolContext, ToolRegistry, load_entry_points
from domain.errors import InvalidDefinition
from tests.adapters.tools.tool_calls import no_secret
from tests.fake_sandbox import FakeSandbox
from tests.fake_tools import DEFAULT_SPEC, FakeTool

CONTEXT = ToolContext(sandbox=FakeSandbox(), profiles={}, resolve_secret=no_secret)
HERE = "tests.adapters.tools.test_registry"


def two_tools(context: ToolContext) -> list[FakeTool]:
    """A plugin's factory."""
    assert context is CONTEXT
    return [FakeTool(), FakeTool(DEFAULT_SPEC.model_copy(update={"name": "fake.other"}))]


def no_tools(_context: ToolContext) -> list[str]:
    """A factory that is wrong."""
    return ["a text"]


NOT_CALLABLE = "a constant"


class TestToolRegistry:
    def test_refuses_the_same_version_twice(self) -> None:
        with pytest.raises(InvalidDefinition, match=r"fake\.echo 1\.0\.0 is declared twice"):
            ToolRegistry([FakeTool(), FakeTool()])

    def test_refuses_a_version_that_is_none(self) -> None:
        with pytest.raises(InvalidDefinition, match=r"write major\.minor\.patch"):
            ToolRegistry([FakeTool(DEFAULT_SPEC.model_copy(update={"version": "latest"}))])

    def test_refuses_a_schema_that_is_none_and_says_which(self) -> None:
        with pytest.raises(InvalidDefinition, match=r"the output schema of the tool fake\.echo") as caught:
            ToolRegistry([FakeTool(DEFAULT_SPEC.model_copy(update={"output_schema": {"properties": {"x": {"type": "text"}}}}))])
        assert caught.value.where == "/properties/x/type"


class TestEntryPoints:
    def point(self, name: str) -> EntryPoint:
        """Return an entry point to something in this module."""
        return EntryPoint(name=name, value=f"{HERE}:{name}", group="standfast.tools")

    def test_bring_the_tools_of_their_factories(self) -> None:
        tools = load_entry_points(CONTEXT, found=[self.point("two_tools")])
        assert [tool.spec.name for tool in tools] == ["fake.echo", "fake.other"]

    @pytest.mark.parametrize(("name", "reason"), [("no_tools", "no tool"), ("NOT_CALLABLE", "no factory"), ("absent", "cannot be loaded")])
    def test_are_refused_with_their_name_when_they_are_wrong(self, name: str, reason: str) -> None:
        with pytest.raises(InvalidDefinition, match=f"the tool entry point {name} .*{reason}"):
            load_entry_points(CONTEXT, found=[self.point(name)])
