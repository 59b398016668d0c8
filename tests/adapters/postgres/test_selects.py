"""The SQL text that processes run is what SQLModel makes of the declared selects, without values and without loading SQLModel."""

import pytest
from sqlalchemy import Text, literal_column
from sqlmodel import col, select

from adapters.postgres.reads import TEXTS, compiled, rendered
from adapters.postgres.tables import Runs


class TestSelectTexts:
    def test_are_what_sqlmodel_compiles(self) -> None:
        assert TEXTS.read_text(encoding="utf-8") == rendered(), "run `make generate` and review the difference"

    def test_hold_no_value(self) -> None:
        with pytest.raises(ValueError, match="accepted"):
            compiled(select(Runs).where(col(Runs.status) == "accepted"))

    def test_are_broken_between_words_and_never_within_quotes(self) -> None:
        quoted = "'" + "two  spaces " * 30 + "'"
        text = compiled(select(col(Runs.run), literal_column(quoted, Text())).where(col(Runs.reason) == literal_column(quoted, Text())))
        assert text.count(quoted) == 2
        assert {len(line) > 140 for line in text.splitlines() if quoted not in line} == {False}
