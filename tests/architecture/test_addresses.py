"""No file names a package registry or a path of somebody's machine: both tie the project to one place."""

import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, repository_files, shown

# Put together here, so that this file does not hold what it looks for.
REGISTRIES = tuple(
    "".join(parts)
    for parts in (("pypi", ".org"), ("python", "hosted.org"), ("registry.", "npmjs"), ("proxy.", "golang"), ("sum.", "golang"))
)
OPTIONS = tuple("".join(parts) for parts in (("--index", "-url"), ("--extra-index", "-url"), ("--find", "-links")))
MACHINE = re.compile(r"/work/(main|shared)|/opt/[w]heels|/tmp/[b]rief|/[.]pyenv/")

TEXTS = [path for path in repository_files() if path.suffix not in {".csv", ".png", ".ico", ".woff2"}]


def text_of(path: Path) -> str:
    """Return a file's text; bytes that are none are replaced."""
    return path.read_text(encoding="utf-8", errors="replace")


def test_no_file_names_a_registry() -> None:
    assert {shown(path): host for path in TEXTS for host in REGISTRIES if host in text_of(path)} == {}


def test_no_file_names_a_path_of_a_machine() -> None:
    assert {shown(path): found.group() for path in TEXTS if (found := MACHINE.search(text_of(path)))} == {}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
class TestLock:
    def test_holds_no_address(self, name: str) -> None:
        lines = [line for line in text_of(ROOT / name).splitlines() if not line.startswith("#")]
        assert [line for line in lines if "://" in line or any(option in line for option in OPTIONS)] == []

    def test_hashes_every_package(self, name: str) -> None:
        entries = re.split(r"\n(?=[a-z0-9])", text_of(ROOT / name))
        packages = [entry for entry in entries if re.match(r"[a-z0-9][^\n]*==", entry)]
        assert len(packages) > 30
        assert [entry.split("\n")[0] for entry in packages if "--hash=sha256:" not in entry] == []
