"""Evaluations: datasets of cases, scorers over what a run gave, and what became worse than before. Pure."""

import json
from typing import Annotated, Literal

from pydantic import Field, JsonValue, TypeAdapter, ValidationError, model_validator

from domain.errors import ExpressionFailed, InvalidInput
from domain.expressions import check_expression, evaluate
from domain.model import Value
from domain.projection import part_at
from domain.schemas import check_schema, validate

CASES_MAX = 10_000
ERROR = "error"
"""The status of a case that could not be run to its end, or not be scored."""
PASSING = 0.5
"""A judge's score from which a case passes, unless the scorer says otherwise."""


class Exact(Value):
    """The output, or what lies in it at the dotted `path`, is `expected`, or what lies there at the same path."""

    kind: Literal["exact"]
    path: str = ""


class Fits(Value):
    """The output fits a JSON Schema; its name in a definition's words is `schema`."""

    kind: Literal["schema"]
    shape: dict[str, JsonValue] | bool = Field(alias="schema")


class Holds(Value):
    """A CEL expression over `input.input`, `input.output` and `input.expected` is true, or gives a number from 0 to 1."""

    kind: Literal["cel"]
    name: str = ""
    expression: str
    passing: float = Field(default=1.0, ge=0, le=1)


class Judged(Value):
    """A run of a judging definition answers `{score, reason}` to `{input, output, expected, rubric}`, with a score from 0 to 1."""

    kind: Literal["judge"]
    name: str = ""
    definition: str
    rubric: str = ""
    config: dict[str, JsonValue] = {}
    passing: float = Field(default=PASSING, ge=0, le=1)


Scorer = Annotated[Exact | Fits | Holds | Judged, Field(discriminator="kind")]


def label(scorer: Scorer) -> str:
    """Return what a scorer is called in tables and results: its own name, or its kind, with the path of a part."""
    if isinstance(scorer, Holds | Judged) and scorer.name:
        return scorer.name
    return f"exact {scorer.path}" if isinstance(scorer, Exact) and scorer.path else scorer.kind


class Case(Value):
    """One input and what is expected of it; `status` is how the run must end."""

    name: str = Field(min_length=1, max_length=100)
    input: JsonValue = None
    expected: JsonValue = None
    config: dict[str, JsonValue] = {}
    status: str = "succeeded"


class Dataset(Value):
    """Cases, the definition they are for, and how their outputs are scored."""

    standfast_dataset: Literal[1] = 1
    definition: str = ""
    config: dict[str, JsonValue] = {}
    scorers: list[Scorer] = Field(default=[Exact(kind="exact")], min_length=1)
    cases: list[Case] = Field(min_length=1, max_length=CASES_MAX)

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Dataset":
        for what, names in (("cases", [case.name for case in self.cases]), ("scorers", [label(scorer) for scorer in self.scorers])):
            twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
            if twice is not None:
                message = f"two {what} are called {twice!r}; give each its own name"
                raise ValueError(message)
        return self


class Score(Value):
    """What one scorer says of one case."""

    value: float = Field(ge=0, le=1)
    passed: bool
    reason: str = ""


class CaseResult(Value):
    """What became of one case. Money in integer micro-USD, the judge's included; `seconds` from start to end.

    `unrecorded` says why there is no golden trace of it though traces were wanted.
    """

    name: str
    run: str | None
    status: str
    output: JsonValue = None
    error: str | None = None
    scores: dict[str, Score] = {}
    cost_usd_micros: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    unrecorded: str | None = None

    @property
    def passed(self) -> bool:
        """Whether every scorer passed it."""
        return bool(self.scores) and all(score.passed for score in self.scores.values())


class Evaluation(Value):
    """The result file. `id` names the runs: the same id goes on where an evaluation was interrupted."""

    standfast_evaluation: Literal[1] = 1
    id: str
    definition: str
    dataset: str
    cases: list[CaseResult]

    @property
    def passed(self) -> int:
        """How many cases passed."""
        return sum(case.passed for case in self.cases)

    @property
    def cost_usd_micros(self) -> int:
        """What all cases cost."""
        return sum(case.cost_usd_micros for case in self.cases)

    def mean(self, scorer: str) -> float:
        """Return the mean of a scorer over all cases; one that gave no score counts as 0."""
        return sum(case.scores[scorer].value for case in self.cases if scorer in case.scores) / len(self.cases)

    @property
    def scorers(self) -> list[str]:
        """The scorers that gave any score, in order."""
        return list(dict.fromkeys(name for case in self.cases for name in case.scores))


_DATASET: TypeAdapter[Dataset] = TypeAdapter(Dataset)


def read_dataset(value: JsonValue) -> Dataset:
    """Read a dataset that was a YAML or JSON document.

    Raises:
        InvalidInput: the text says where, and what is wrong.
    """
    try:
        dataset = _DATASET.validate_python(value)
    except ValidationError as error:
        raise InvalidInput(_told(error)) from error
    for place, scorer in enumerate(dataset.scorers):
        _check(scorer, f"/scorers/{place}")
    return dataset


def read_lines(text: str) -> list[JsonValue]:
    """Read the cases of a JSONL file: one JSON object a line, named by its number unless it has a name.

    Raises:
        InvalidInput: a line is no JSON object.
    """
    cases: list[JsonValue] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            case: JsonValue = json.loads(line)
        except ValueError as error:
            raise InvalidInput(f"line {number} is no JSON: {error}") from error
        if not isinstance(case, dict):
            raise InvalidInput(f'line {number}: a JSON object such as {{"input": …, "expected": …}} is needed')
        cases.append({"name": f"line {number}", **case})
    return cases


def score(scorer: Exact | Fits | Holds, case: Case, output: JsonValue) -> Score:
    """Return what a scorer says; a mistake in an expression is a score of 0 with its reason."""
    if isinstance(scorer, Exact):
        wanted, given = part_at(case.expected, scorer.path), part_at(output, scorer.path)
        same = _same(wanted, given)
        return Score(value=float(same), passed=same, reason="" if same else f"expected {_brief(wanted)}, got {_brief(given)}")
    if isinstance(scorer, Fits):
        mistakes = validate(scorer.shape, output)
        return Score(value=float(not mistakes), passed=not mistakes, reason="; ".join(mistakes)[:500])
    try:
        found = evaluate(scorer.expression, {"input": {"input": case.input, "output": output, "expected": case.expected}})
    except ExpressionFailed as error:
        return Score(value=0, passed=False, reason=error.detail)
    return graded(found, scorer.passing)


def graded(found: JsonValue, passing: float, reason: str = "") -> Score:
    """Return the score that a truth value or a number from 0 to 1 stands for."""
    if isinstance(found, bool):
        return Score(value=float(found), passed=found, reason=reason)
    if isinstance(found, int | float) and 0 <= found <= 1:
        return Score(value=float(found), passed=found >= passing, reason=reason)
    return Score(value=0, passed=False, reason=f"a score is true, false or a number from 0 to 1, not {_brief(found)}")


def judgement(scorer: Judged, answer: JsonValue) -> Score:
    """Return the score in a judge's answer."""
    if not isinstance(answer, dict) or "score" not in answer:
        return Score(value=0, passed=False, reason=f"the judge must answer {{score, reason}}, and answered {_brief(answer)}")
    return graded(answer["score"], scorer.passing, str(answer.get("reason") or "")[:500])


def regressions(now: Evaluation, before: Evaluation, *, tolerance: float = 0.0) -> list[str]:
    """Return what is worse than before: cases that passed and do not, or are gone, and scorers whose mean fell by more than `tolerance`."""
    found: list[str] = []
    cases = {case.name: case for case in now.cases}
    for was in before.cases:
        case = cases.get(was.name)
        if case is None:
            found.append(f"{was.name}: the case is gone")
        elif was.passed and not case.passed:
            found.append(f"{was.name}: {_why(case)}")
    for scorer in before.scorers:
        fell = before.mean(scorer) - now.mean(scorer)
        if fell > tolerance + 1e-9:
            found.append(f"{scorer}: {now.mean(scorer):.3f} on average, {before.mean(scorer):.3f} before")
    return found


def _why(case: CaseResult) -> str:
    failed = [f"{name} {score.value:.2f} ({score.reason or 'failed'})" for name, score in case.scores.items() if not score.passed]
    return "; ".join(failed) or f"the run {case.status}: {case.error or 'no score'}"


def _check(scorer: Scorer, where: str) -> None:
    """Refuse a scorer that could not score.

    Raises:
        InvalidInput: its schema or expression has mistakes.
    """
    if isinstance(scorer, Fits):
        try:
            check_schema(scorer.shape)
        except InvalidInput as error:
            raise InvalidInput(f"{where}/schema: {error.detail}") from error
    elif isinstance(scorer, Holds):
        flaws = check_expression(scorer.expression)
        if flaws:
            raise InvalidInput(f"{where}/expression: {flaws[0].message}")


def _told(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"/{'/'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _same(left: JsonValue, right: JsonValue) -> bool:
    """Compare as JSON does: true is not 1, 1 is 1.0, order of keys says nothing."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right, strict=True))
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _brief(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:119]}…"
