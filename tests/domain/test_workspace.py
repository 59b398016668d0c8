"""Paths of a workspace lead nowhere else."""

import pytest

from domain.errors import InvalidInput
from domain.workspace import checked_path


class TestCheckedPath:
    @pytest.mark.parametrize("path", ["a", "notes/claim.txt", "a/b/c.tar.gz", "Zoë.txt", "...", ".hidden"])
    def test_keeps_what_is_relative(self, path: str) -> None:
        assert checked_path(path) == path

    @pytest.mark.parametrize(
        "path",
        [
            *(
                "/etc/passwd",
                "../a",
                "a/../../b",
                "a/./b",
                "a//b",
                "",
                "a/",
                "..",
                ".",
                "a\\..\\b",
                "C:/x",
                "a\0b",
                "a\nb",
                " a",
                "a ",
                "*",
            ),
            *("~/x/..", "a/\u202eb", "\ufeffa", "x" * 101, "/".join("a" * 17), "file:///etc/passwd", "%2e%2e/.."),
        ],
    )
    def test_refuses_what_leads_out_or_hides(self, path: str) -> None:
        with pytest.raises(InvalidInput):
            checked_path(path)

    def test_is_the_same_for_the_same_letters(self) -> None:
        assert checked_path("Zoe\u0308") == checked_path("Zo\u00eb")

    @pytest.mark.parametrize(("folder", "kept"), [("", ""), (".", ""), ("a/", "a"), ("a/b", "a/b")])
    def test_takes_folders(self, folder: str, kept: str) -> None:
        assert checked_path(folder, folder=True) == kept
