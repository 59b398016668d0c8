"""Revision 0004 replaces journal functions of 0002: it is their text and money's lines, and going back brings their text back."""

import re
from importlib.resources import files

import pytest

SQL = files("adapters.postgres.migrations") / "sql"
MONEY = re.compile(
    r"\n    IF v_choice = 'go' AND p_charge IS NOT NULL THEN\n.*?\n    END IF;"
    r"|\n            SELECT v\.amount INTO ms_held.*?;"
    r"|\n    IF NOT budget_settle\(.*?\n    END IF;"
    r"|, p_charge jsonb(?=,\n)|, OUT ms_held bigint",
    re.DOTALL,
)


def functions(*names: str) -> dict[str, str]:
    """Return the last text of each function over these files."""
    text = "\n".join((SQL / name).read_text(encoding="utf-8") for name in names)
    found = re.findall(r"CREATE (?:OR REPLACE )?FUNCTION (\w+)(\(.*?\n(?:END )?\$\$;)", text, re.DOTALL)
    return dict(found)


@pytest.mark.parametrize("function", ["journal_intent", "journal_outcome"])
class TestReplacedFunction:
    def test_is_the_former_one_with_money(self, function: str) -> None:
        former, now = functions("0002_journal.sql")[function], functions("0004_journal.sql")[function]
        assert MONEY.sub("", now) == former, "0002 changed: change 0004_journal.sql and 0004_down.sql too"

    def test_comes_back(self, function: str) -> None:
        assert functions("0004_down.sql")[function] == functions("0002_journal.sql")[function]


def test_resolve_comes_back() -> None:
    assert functions("0004_down.sql")["journal_resolve"] == functions("0001_outcome.sql")["journal_resolve"]
