"""JSON Schemas: what is refused, and how mistakes are told."""

from typing import cast

import pytest
from pydantic import JsonValue

from domain.errors import InvalidInput
from domain.schemas import check_schema, validate

PERSON: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"a/b": {"type": "integer"}, "day": {"format": "date"}},
    "required": ["name"],
}


class TestCheckSchema:
    @pytest.mark.parametrize(
        ("schema", "where"),
        [
            ({"properties": {"sum": {"type": "money"}}}, "/properties/sum/type"),
            ({"pattern": "(a"}, "/pattern"),
            ({"$ref": "#/$defs/absent"}, ""),
        ],
    )
    def test_refuses_what_is_no_schema_with_the_place(self, schema: dict[str, JsonValue], where: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            check_schema(schema)
        assert caught.value.where == where

    @pytest.mark.parametrize("reference", ["https://example.com/schema.json", "file:///etc/hostname"])
    def test_never_fetches_another_document(self, reference: str) -> None:
        with pytest.raises(InvalidInput, match="not fetched"):
            check_schema({"$ref": reference})

    def test_takes_references_within_the_schema(self) -> None:
        check_schema({"$ref": "#/$defs/sum", "$defs": {"sum": {"type": "integer"}}})


class TestValidate:
    def test_is_silent_when_the_value_fits(self) -> None:
        assert validate(PERSON, {"name": "Ada", "a/b": 3, "day": "2013-01-05"}) == []

    def test_names_each_place_as_a_pointer(self) -> None:
        assert sorted(validate(PERSON, {"a/b": "x", "day": "Friday"})) == [
            '(top level): "name" is a required property',
            '/a~1b: "x" is not of type "integer"',
            '/day: "Friday" is not a "date"',
        ]

    def test_cuts_a_message_that_quotes_a_large_value(self) -> None:
        (message,) = validate({"type": "integer"}, "x" * 10_000)
        assert len(message) < 400

    def test_counts_mistakes_beyond_the_first_twenty(self) -> None:
        mistakes = validate({"items": {"type": "integer"}}, list[JsonValue](["x"] * 50))
        assert (len(mistakes), mistakes[-1]) == (21, "and 30 more mistakes")

    def test_matches_patterns_in_linear_time(self) -> None:
        assert len(validate({"pattern": "^(a+)+$"}, "a" * 50_000 + "b")) == 1

    def test_takes_true_and_false_as_schemas(self) -> None:
        assert validate(True, {"anything": 1}) == []
        assert len(validate(False, cast("JsonValue", 1))) == 1
