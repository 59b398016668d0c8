"""Settings: each is documented, and each is read by somebody."""

import ast
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


@pytest.mark.parametrize(("field", "variable"), FIELDS)
class TestSetting:
    def test_stands_on_the_settings_page(self, field: str, variable: str) -> None:
        del field
        assert f"`{variable}`" in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")

    def test_is_read_somewhere(self, field: str, variable: str) -> None:
        assert field in READ, f"{variable} has no effect"
