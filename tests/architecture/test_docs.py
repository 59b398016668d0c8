"""The documents say what the code says: generated parts are fresh, links lead somewhere, every state and setting is named."""

import re
from pathlib import Path

import pytest

from docs.generate import replaced, stale
from domain.lineage import REDRIVABLE
from domain.runs import CLOSED, RunStatus
from tests.architecture.sources import ROOT, repository_files, shown

PAGES = [path for path in repository_files() if path.suffix == ".md"]
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
ADR_PARTS = ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that a page's headings make, as GitHub builds them."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class TestGeneratedParts:
    def test_are_up_to_date(self) -> None:
        assert [shown(path) for path, _ in stale()] == [], "run `make generate`"

    def test_replace_only_what_stands_between_the_markers(self) -> None:
        text = "a <!-- generated: x -->old<!-- end: x --> b"
        assert replaced(text, "x", r"new \1") == "a <!-- generated: x -->\nnew \\1\n<!-- end: x --> b"

    def test_need_their_markers(self) -> None:
        with pytest.raises(ValueError, match="generated: x"):
            replaced("no markers", "x", "new")


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_lead_somewhere(page: Path) -> None:
    broken: list[str] = []
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        goal = (page.parent / name).resolve() if name else page
        if not goal.exists() or (anchor and goal.suffix == ".md" and anchor not in anchors_of(goal)):
            broken.append(target)
    assert broken == []


class TestStatesPage:
    PAGE = (ROOT / "docs" / "states.md").read_text(encoding="utf-8")

    def test_draws_every_state_and_no_other(self) -> None:
        drawn = set(re.findall(r"^    (\w+) -->", self.PAGE, re.MULTILINE)) | set(re.findall(r"--> (\w+)", self.PAGE))
        assert drawn == set(RunStatus)

    def test_says_of_each_state_whether_it_is_closed(self) -> None:
        rows = re.findall(r"^\| `(\w+)` \| (yes|no) \|", self.PAGE, re.MULTILINE)
        assert rows == [(status.value, "yes" if status in CLOSED else "no") for status in RunStatus]

    def test_lets_no_closed_state_go_on_but_by_a_redrive(self) -> None:
        assert set(re.findall(r"^    (\w+) --> \[\*\]", self.PAGE, re.MULTILINE)) == set(CLOSED)
        onward = re.findall(r"^    (\w+) --> (\w.*)$", self.PAGE, re.MULTILINE)
        assert {status for status, where in onward if status in CLOSED and where == "running: redriven"} == set(REDRIVABLE)
        assert [where for status, where in onward if status in CLOSED and where != "running: redriven"] == []


@pytest.mark.parametrize("decision", DECISIONS, ids=shown)
class TestDecision:
    def test_has_its_parts_in_order(self, decision: Path) -> None:
        headings = HEADING.findall(decision.read_text(encoding="utf-8"))
        assert headings[1:] == ADR_PARTS

    def test_carries_its_number(self, decision: Path) -> None:
        assert decision.read_text(encoding="utf-8").startswith(f"# {decision.name[:4]}: ")


def test_decision_numbers_are_unique() -> None:
    numbers = [path.name[:4] for path in DECISIONS]
    assert len(set(numbers)) == len(numbers) >= 4
