"""Versions and ranges."""

import pytest

from domain.errors import InvalidInput
from domain.versions import by_name, highest, is_range, is_version, newest, newest_first, parse_version

VERSIONS = ["1.9.0", "1.10.0", "2.0.0", "0.9.1", "3.0.0-rc.1"]


class TestNewest:
    @pytest.mark.parametrize(
        ("ranges", "found"),
        [
            ([], "2.0.0"),
            (["^1"], "1.10.0"),
            (["~1.9"], "1.9.0"),
            (["1.x", "<1.10.0"], "1.9.0"),
            (["^0.9"], "0.9.1"),
            (["^3"], None),
            (["3.0.0-rc.1"], "3.0.0-rc.1"),
            (["2.0.0-rc.1"], None),
            (["2.0.0"], "2.0.0"),
        ],
    )
    def test_is_the_highest_that_lies_in_every_range(self, ranges: list[str], found: str | None) -> None:
        assert newest(ranges, VERSIONS) == found

    def test_is_a_pre_release_when_there_is_nothing_else(self) -> None:
        assert highest(["1.0.0-rc.1", "1.0.0-rc.2"], None) == "1.0.0-rc.2"

    def test_is_none_of_none(self) -> None:
        assert highest([], "^1") is None

    def test_counts_numbers_as_numbers(self) -> None:
        assert newest_first(VERSIONS) == ["3.0.0-rc.1", "2.0.0", "1.10.0", "1.9.0", "0.9.1"]

    def test_of_several_names_come_by_name(self) -> None:
        assert by_name([("b", "1.9.0"), ("a", "1.0.0"), ("b", "1.10.0")]) == [("a", "1.0.0"), ("b", "1.10.0"), ("b", "1.9.0")]

    def test_says_how_a_range_is_written(self) -> None:
        with pytest.raises(InvalidInput, match=r"\^1"):
            highest(VERSIONS, "the best")


class TestVersion:
    @pytest.mark.parametrize(("text", "fits"), [("1.0.0", True), ("1.0.0-rc.1", True), ("1.0", False), ("", False), ("v1.0.0", False)])
    def test_is_told_from_other_text(self, text: str, fits: bool) -> None:  # noqa: FBT001  # a parameter of the table
        assert is_version(text) is fits

    @pytest.mark.parametrize(("text", "fits"), [("^1", True), (">=1.2.0 <2", True), ("1.x", True), ("what", False)])
    def test_range_is_told_from_other_text(self, text: str, fits: bool) -> None:  # noqa: FBT001  # a parameter of the table
        assert is_range(text) is fits

    def test_that_is_none_says_how_one_is_written(self) -> None:
        assert parse_version("1.2.3") == "1.2.3"
        with pytest.raises(InvalidInput, match=r"1\.0\.0"):
            parse_version("1")
