"""The registry: what it refuses."""

import pytest

from adapters.tools.registry import ToolRegistry
from domain.errors import InvalidDefinition
from tests.fake_tools import DEFAULT_SPEC, FakeTool


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
        assert caught.value.where == "/output/properties/x/type"
