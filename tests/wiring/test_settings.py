"""Settings: each is documented, and each is read by somebody."""

import ast
import re
from pathlib import Path

import pytest

from wiring.settings import GROUPS

ROOT = Path(__file__).parents[2]
FIELDS = sorted({(name, str(field.validation_alias)) for group in GROUPS for name, field in group.model_fields.items()})
READ = {
    node.attr
    for room in ("wiring", "api", "cli")
    for path in (ROOT / room).rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
}


NAMED = sorted(
    {
        node.value
        for room in ("wiring", "api", "cli", "clients", "examples", "adapters", "activities")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"STANDFAST_[A-Z_]+", node.value)
    }
)


@pytest.mark.parametrize("variable", NAMED)
def test_a_variable_that_any_part_names_stands_on_the_page(variable: str) -> None:
    assert f"`{variable}`" in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("field", "variable"), FIELDS)
class TestSetting:
    def test_stands_on_the_settings_page(self, field: str, variable: str) -> None:
        del field
        assert f"`{variable}`" in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")

    def test_is_read_somewhere(self, field: str, variable: str) -> None:
        assert field in READ, f"{variable} has no effect"
