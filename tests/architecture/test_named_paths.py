"""Pages name files and folders that git holds, so that a reader of a clone finds them."""

import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, repository_files, shown

PAGES = [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))]
NAMED = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")
TOP = {path.relative_to(ROOT).parts[0] for path in repository_files()}


def named_paths(page: Path) -> set[str]:
    """Return what a page names as a path from the root, and the folders of tests it lists by their last name."""
    names = NAMED.findall(page.read_text(encoding="utf-8"))
    bare = {name for name in names if name.endswith("/") and page.name == "ARCHITECTURE.md"}
    return bare | {name for name in names if "/" in name and name.split("/")[0] in TOP}


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_named_paths_are_there(page: Path) -> None:
    held = {shown(path) for path in repository_files()}
    folders = {str(parent) for name in held for parent in Path(name).parents}
    places = {name.rstrip("/") for name in named_paths(page)}
    assert {place for place in places if not {place, f"tests/{place}"} & (held | folders)} == set()
