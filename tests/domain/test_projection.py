"""Projections: only what expressions read travels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.errors import ProjectionTooLarge
from domain.projection import PROJECTED_BYTES_MAX, project, unproject

OUTPUT: JsonValue = {"payment": {"id": "p1", "fee": {"micros": "10"}}, "list": [1, 2], "none": None}


class TestProject:
    @pytest.mark.parametrize(
        ("paths", "fields"),
        [
            ([], {}),
            ([""], {"": OUTPUT}),
            (["payment.id"], {"payment.id": "p1"}),
            (["payment.fee", "none"], {"payment.fee": {"micros": "10"}, "none": None}),
            (["missing", "payment.id.deeper", "list.0"], {}),
        ],
    )
    def test_takes_the_paths_that_exist(self, paths: list[str], fields: dict[str, JsonValue]) -> None:
        assert project(OUTPUT, paths) == fields

    def test_refuses_more_than_8_kib_and_names_the_fields(self) -> None:
        with pytest.raises(ProjectionTooLarge, match=r"\(text\).*name the fields you need"):
            project({"text": "x" * PROJECTED_BYTES_MAX}, ["text"])

    def test_counts_only_what_it_takes(self) -> None:
        assert project({"text": "x" * PROJECTED_BYTES_MAX, "id": 1}, ["id"]) == {"id": 1}


class TestUnproject:
    def test_rebuilds_the_nested_value(self) -> None:
        assert unproject({"payment.id": "p1", "payment.fee.micros": "10"}) == {"payment": {"id": "p1", "fee": {"micros": "10"}}}

    def test_gives_an_empty_object_for_nothing(self) -> None:
        assert unproject({}) == {}

    @given(
        st.recursive(st.integers() | st.text(), lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3))
    )
    def test_undoes_project_for_every_single_path(self, value: JsonValue) -> None:
        assert unproject({"": value}) == value
        if isinstance(value, dict):
            assert unproject({name: part for name, part in value.items()}) == value  # noqa: C416 - each name is a path of one part
