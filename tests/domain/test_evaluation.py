"""Datasets, scorers and regressions."""

import pytest
from pydantic import JsonValue

from domain.errors import InvalidInput
from domain.evaluation import (
    Case,
    CaseResult,
    Evaluation,
    Exact,
    Fits,
    Holds,
    Judged,
    Score,
    judgement,
    read_dataset,
    read_lines,
    regressions,
    score,
)

CASE = Case(name="a", input={"n": 2}, expected={"sum": 4, "why": "x"})


def result(name: str, value: float, *, scorer: str = "exact") -> CaseResult:
    """Build a case's result with one score."""
    return CaseResult(name=name, run="run_1", status="succeeded", scores={scorer: Score(value=value, passed=value >= 0.5, reason="no")})


def evaluation(*cases: CaseResult) -> Evaluation:
    """Build an evaluation."""
    return Evaluation(id="e", definition="d", dataset="0" * 64, cases=list(cases))


class TestExact:
    @pytest.mark.parametrize(
        ("output", "path", "passes"),
        [
            ({"why": "x", "sum": 4}, "", True),
            ({"sum": 4.0, "why": "x"}, "", True),
            ({"sum": 4}, "", False),
            ({"sum": 4, "other": 1}, "sum", True),
            ({"sum": True, "why": "x"}, "sum", False),
            (None, "sum", False),
        ],
    )
    def test_compares_as_json_does(self, output: JsonValue, path: str, passes: bool) -> None:  # noqa: FBT001 - a row of the table
        assert score(Exact(kind="exact", path=path), CASE, output).passed is passes

    def test_says_what_it_expected(self) -> None:
        assert score(Exact(kind="exact", path="sum"), CASE, {"sum": 5}).reason == "expected 4, got 5"


class TestFits:
    def test_names_the_mistakes(self) -> None:
        scorer = Fits.model_validate({"kind": "schema", "schema": {"type": "object", "required": ["sum"]}})
        assert score(scorer, CASE, {"sum": 1}).passed
        assert "sum" in score(scorer, CASE, {}).reason


class TestHolds:
    @pytest.mark.parametrize(
        ("expression", "value", "passes"),
        [
            ("input.output.sum == input.expected.sum", 1, True),
            ("input.output.sum > 9", 0, False),
            ("input.output.sum == 4 ? 0.7 : 0.1", 0.7, True),
            ("input.output.nowhere", 0, False),
            ("input.output.sum", 0, False),
        ],
    )
    def test_takes_truth_and_numbers_from_0_to_1(self, expression: str, value: float, passes: bool) -> None:  # noqa: FBT001 - as above
        found = score(Holds(kind="cel", expression=expression, passing=0.6), CASE, {"sum": 4})
        assert (found.value, found.passed) == (value, passes)


class TestJudgement:
    @pytest.mark.parametrize(
        ("answer", "value", "passes"),
        [({"score": 0.8, "reason": "fine"}, 0.8, True), ({"score": 0.2}, 0.2, False), ({"score": 7}, 0, False), ("good", 0, False)],
    )
    def test_reads_score_and_reason(self, answer: JsonValue, value: float, passes: bool) -> None:  # noqa: FBT001 - as above
        found = judgement(Judged(kind="judge", definition="judge"), answer)
        assert (found.value, found.passed) == (value, passes)


class TestDataset:
    def test_takes_cases_of_lines(self) -> None:
        cases = read_lines('{"input": 1, "expected": 2}\n\n{"name": "b", "input": 2}\n')
        assert [case.name for case in read_dataset({"cases": cases}).cases] == ["line 1", "b"]

    @pytest.mark.parametrize(
        ("dataset", "said"),
        [
            ({"cases": []}, "/cases"),
            ({"cases": [{"name": "a"}, {"name": "a"}]}, "called 'a'"),
            ({"cases": [{"name": "a"}], "scorers": [{"kind": "cel", "expression": "output ="}]}, "/scorers/0/expression"),
            ({"cases": [{"name": "a"}], "scorers": [{"kind": "schema", "schema": {"type": "nothing"}}]}, "/scorers/0/schema"),
            ({"cases": [{"name": "a"}], "scorers": [{"kind": "guess"}]}, "/scorers/0"),
            ({"cases": [{"name": "a", "inputs": 1}]}, "/cases/0/inputs"),
        ],
    )
    def test_says_where_it_is_wrong(self, dataset: JsonValue, said: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            read_dataset(dataset)
        assert said in refused.value.detail

    @pytest.mark.parametrize(("text", "said"), [("{", "line 1 is no JSON"), ("{}\n[1]", "line 2: a JSON object")])
    def test_says_which_line_is_wrong(self, text: str, said: str) -> None:
        with pytest.raises(InvalidInput, match=said):
            read_lines(text)


class TestRegressions:
    def test_are_cases_that_passed_and_fail_and_means_that_fell(self) -> None:
        before = evaluation(result("a", 1), result("b", 1), result("c", 0))
        assert regressions(before, before) == []
        worse = regressions(evaluation(result("a", 0), result("c", 1)), before)
        assert [line.partition(":")[0] for line in worse] == ["a", "b", "exact"]

    def test_leave_out_what_was_bad_before_and_what_is_new(self) -> None:
        assert regressions(evaluation(result("a", 1), result("b", 1)), evaluation(result("a", 0))) == []

    def test_tolerate_a_mean_that_falls_a_little(self) -> None:
        before, now = evaluation(result("a", 0.9, scorer="judge")), evaluation(result("a", 0.8, scorer="judge"))
        assert regressions(now, before, tolerance=0.1) == []
        assert len(regressions(now, before, tolerance=0.05)) == 1

    def test_name_a_run_that_gave_no_score(self) -> None:
        gone = CaseResult(name="a", run=None, status="error", error="the gateway is away")
        assert "the gateway is away" in regressions(evaluation(gone), evaluation(result("a", 1)))[0]
