"""Tools by entry point: a factory's, a decorated function, a list of such; what is wrong is refused by name."""

from importlib.metadata import EntryPoint

import pytest

from adapters.tools.registry import ToolContext
from domain.errors import InvalidDefinition
from standfast_sdk import tool
from tests.adapters.tools.tool_calls import no_secret
from tests.fake_sandbox import FakeSandbox
from tests.fake_tools import DEFAULT_SPEC, FakeTool
from wiring.tool_plugins import load_entry_points

CONTEXT = ToolContext(sandbox=FakeSandbox(), profiles={}, resolve_secret=no_secret)
HERE = "tests.wiring.test_tool_plugins"


def two_tools(context: ToolContext) -> list[FakeTool]:
    """A plugin's factory."""
    assert context is CONTEXT
    return [FakeTool(), FakeTool(DEFAULT_SPEC.model_copy(update={"name": "fake.other"}))]


def no_tools(_context: ToolContext) -> list[str]:
    """A factory that is wrong."""
    return ["a text"]


@tool(name="text.upper", effect="none")
def upper(text: str) -> str:
    """Say it loudly."""
    return text.upper()


@tool(effect="none")
def lower(text: str) -> str:
    """Say it softly."""
    return text.lower()


BOTH = [upper, lower]
NOT_CALLABLE = "a constant"


class TestEntryPoints:
    def point(self, name: str) -> EntryPoint:
        """Return an entry point to something in this module."""
        return EntryPoint(name=name, value=f"{HERE}:{name}", group="standfast.tools")

    def test_bring_the_tools_of_their_factories(self) -> None:
        tools = load_entry_points(CONTEXT, found=[self.point("two_tools")])
        assert [tool.spec.name for tool in tools] == ["fake.echo", "fake.other"]

    def test_may_name_functions_that_are_tools(self) -> None:
        assert [each.spec.name for each in load_entry_points(CONTEXT, found=[self.point("upper")])] == ["text.upper"]
        assert [each.spec.name for each in load_entry_points(CONTEXT, found=[self.point("BOTH")])] == ["text.upper", "lower"]

    @pytest.mark.parametrize(("name", "reason"), [("no_tools", "no tool"), ("NOT_CALLABLE", "no factory"), ("absent", "cannot be loaded")])
    def test_are_refused_with_their_name_when_they_are_wrong(self, name: str, reason: str) -> None:
        with pytest.raises(InvalidDefinition, match=f"the tool entry point {name} .*{reason}"):
            load_entry_points(CONTEXT, found=[self.point(name)])
