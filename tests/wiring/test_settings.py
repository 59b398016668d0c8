"""Settings: each is documented, and each is read by somebody."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.architecture.sources import ROOT, nodes_of
from wiring.settings import GROUPS

FIELDS = sorted({(name, str(field.validation_alias)) for group in GROUPS for name, field in group.model_fields.items()})
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def nodes_in(*rooms: str) -> Iterator[ast.AST]:
    """Yield every node of the syntax trees of some rooms."""
    return (node for room in rooms for path in (ROOT / room).rglob("*.py") for node in nodes_of(path))


@cache
def read_names() -> frozenset[str]:
    """Return the attributes that the entrances and the wiring read."""
    nodes = nodes_in("wiring", "api", "cli")
    return frozenset(node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load))


def test_each_variable_that_any_part_names_stands_on_the_page() -> None:
    constants = (
        node.value
        for node in nodes_in("wiring", "api", "cli", "clients", "examples", "adapters", "activities")
        if isinstance(node, ast.Constant)
    )
    named = {value for value in constants if isinstance(value, str) and re.fullmatch(r"STANDFAST_[A-Z_]+", value)}
    assert len(named) > 30
    assert {variable for variable in named if f"`{variable}`" not in PAGE} == set()


@pytest.mark.parametrize(("field", "variable"), FIELDS)
class TestSetting:
    def test_stands_on_the_settings_page(self, field: str, variable: str) -> None:
        del field
        assert f"`{variable}`" in PAGE

    def test_is_read_somewhere(self, field: str, variable: str) -> None:
        assert field in read_names(), f"{variable} has no effect"
