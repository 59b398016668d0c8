"""The outside checker imports nothing of the product, and finds what it is there to find in evidence made by hand."""

import ast
import json
import random
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from examples.delay_claim.services.bank_books import SCHEMA
from examples.delay_claim.services.call_store import CallStore
from tests.faults.checker.books import judge_claim, judge_keys, judge_money
from tests.faults.checker.rows import judge_answers
from tests.faults.checker.verdict import Evidence, Verdict
from tests.faults.harness.report import Finding, Order, lines_of
from tests.faults.planted.registry import PLANTS
from tests.faults.scenarios import SCENARIOS
from tests.faults.scenarios.definitions import SAGA_EFFECTS
from tests.faults.scenarios.sagas import plan_sagas

CHECKER = Path(__file__).parent / "checker"
ALLOWED = {"psycopg", "tests.faults.checker"}


def imports_of(module: Path) -> set[str]:
    """Return what a module imports, by whole names."""
    nodes = list(ast.walk(ast.parse(module.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("module", sorted(CHECKER.glob("*.py")), ids=lambda path: path.name)
def test_checker_imports_nothing_of_the_product(module: Path) -> None:
    foreign = {name for name in imports_of(module) if name.split(".")[0] not in sys.stdlib_module_names}
    assert {name for name in foreign if not any(name == given or name.startswith(f"{given}.") for given in ALLOWED)} == set()


class TestClaim:
    @pytest.mark.parametrize(
        ("status", "found"),
        [
            ("succeeded", {"reservation": 1, "payment": 1, "message": 1}),
            ("failed", {}),
            ("failed", {"reservation": 1, "release": 1}),
            ("failed", {"reservation": 1, "payment": 1, "refund": 1}),
        ],
    )
    def test_is_whole_or_undone(self, status: str, found: dict[str, int]) -> None:
        assert judge_claim("c", Counter(found), SAGA_EFFECTS, status) is None

    @pytest.mark.parametrize(
        ("status", "found"),
        [
            ("succeeded", {"reservation": 1, "payment": 1}),
            ("succeeded", {"reservation": 1, "payment": 2, "message": 1}),
            ("failed", {"reservation": 1}),
            ("failed", {"reservation": 1, "payment": 1}),
            ("failed", {"reservation": 2, "release": 2}),
            ("failed", {"reservation": 1, "payment": 1, "refund": 1, "message": 1}),
            ("cancelled", {"payment": 1, "refund": 1}),
        ],
    )
    def test_half_done_or_done_twice_is_found(self, status: str, found: dict[str, int]) -> None:
        assert judge_claim("c", Counter(found), SAGA_EFFECTS, status) is not None


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """Evidence of a scenario in which nothing happened."""
    for name, schema in (("bank", SCHEMA), ("mail", "")):
        CallStore(tmp_path / f"{name}.sqlite", name, schema).close()
    return Evidence(tmp_path, "", SAGA_EFFECTS, {})


def add_effect(evidence: Evidence, key: str, *, amount: int = 5) -> None:
    """Let money move by an effect that the accounts do not know."""
    with closing(sqlite3.connect(evidence.folder / "bank.sqlite")) as connection:
        row = ("now", key, "payment", "p", "c", amount, "airline", "held")
        connection.execute(
            "INSERT INTO effects (at, key, kind, subject_id, claim_id, amount_micros, debit, credit) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row
        )
        connection.commit()


class TestBooks:
    def test_of_an_untouched_bank_are_right(self, evidence: Evidence) -> None:
        verdict = Verdict()
        judge_money(evidence, verdict)
        judge_keys(evidence, verdict)
        assert verdict.violations == []

    def test_a_key_that_took_effect_twice_is_found(self, evidence: Evidence) -> None:
        add_effect(evidence, "k")
        add_effect(evidence, "k")
        verdict = Verdict()
        judge_keys(evidence, verdict)
        assert "took effect 2 times" in verdict.violations[0]

    def test_money_that_no_effect_explains_is_found(self, evidence: Evidence) -> None:
        add_effect(evidence, "k")
        verdict = Verdict()
        judge_money(evidence, verdict)
        assert len(verdict.violations) == 2


class TestAnswers:
    def test_two_answers_to_one_key_are_found(self, evidence: Evidence) -> None:
        lines = [{"path": "/v1/runs", "key": "k", "status": 202, "body": body} for body in ("{}", "{}", '{"run":"other"}')]
        (evidence.folder / "requests.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        verdict = Verdict()
        judge_answers(evidence, verdict)
        assert verdict.violations == ["key k got two different answers"]


class TestFinding:
    def test_a_fault_that_did_not_fire_is_an_error(self) -> None:
        finding = Finding(n=3, faults={"worker killed": 1}, expected={"worker killed": 2})
        order = Order(scale="ci", seed=1, folder=Path())
        assert finding.verdict == "ERROR"
        assert "    NOT FIRED: worker killed: 1 of 2" in lines_of("S1", order, finding)

    def test_a_scenario_that_broke_has_not_caught_its_planted_bug(self) -> None:
        assert Finding(broken="no server", violations=["x"]).verdict == "ERROR"

    def test_the_same_seed_plans_the_same_faults(self) -> None:

        first, second = (plan_sagas(random.Random(7), 100) for _ in range(2))
        assert first == second
        assert sum(saga.failure is not None for saga in first) == 20
        assert sum(saga.stubborn is not None for saga in first) == 5


def test_each_planted_bug_names_a_scenario() -> None:
    assert {plant.scenario for plant in PLANTS.values()} <= set(SCENARIOS)
