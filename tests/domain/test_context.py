"""What expressions see of a run: only what they read is laid out for them, and they cannot tell."""

import pytest
from pydantic import JsonValue

from domain import expressions
from domain.context import expression_context, records_read
from domain.envelope import Receipt
from domain.errors import ExpressionFailed
from domain.program import Program, Step
from domain.state import Done, State, StepRecord
from tests.domain.play import RUN, Play
from tests.domain.programs import call, do, program, put, saga, switch

GIVEN = program(
    call("a"),
    do("d", call("d.x"), do("d.deep", put("d.deep.y", {"n": 3})), put("d.none", None)),
    switch("s", ("input.n > 5", [put("s.big", 1)]), (None, [put("s.small", 2)])),
    put("skipped", 1, when="false"),
    call("open"),
)

ALL: list[tuple[str, ...]] = [()]

TEMPLATES: list[JsonValue] = [
    "${ steps.a.output.n + 1 }",
    "${ steps.a.status }",
    "${ steps.a }",
    "${ steps }",
    "${ steps['d'].output.x }",
    "${ steps.d.x.output }",
    "${ steps.d.deep }",
    "${ steps.d.deep.y.output.n }",
    "${ steps.d.output.deep.y.n }",
    "${ has(steps.d.nothing) }",
    "${ has(steps.nothing) }",
    "${ has(steps.nothing.output) }",
    "${ has(steps.open.output) }",
    "${ steps.open.output }",
    "${ steps.s.big.output }",
    "${ has(steps.s.big) ? 'big' : 'small' }",
    "${ steps.s.small.output + steps.d.deep.y.output.n }",
    "${ steps.skipped.status }",
    "${ steps[input.name].output.n }",
    "${ size(steps) }",
    "${ steps.d.nothing }",
    "${ 'd' in steps && !('e' in steps) }",
    "${ input.n > 0 ? steps.a.output.n : steps.nothing.output }",
    {"both": ["${ steps.a.output.n }", "${ steps.d.x.output.n }"], "text": "n is ${ steps.a.output.n }", "plain": 1},
    "${ not an expression",
    "${ 1 + }",
    "nothing to read",
]


@pytest.fixture(scope="module")
def state() -> State:
    """The state of a run before its last call."""
    play = Play(GIVEN, given={"n": 1, "name": "a"})
    play.done("a", {"n": 7})
    play.done("d.x", {"n": 8})
    return play.state


def seen(template: JsonValue, context: dict[str, JsonValue]) -> JsonValue:
    """Return a template's value, or why it has none."""
    try:
        return expressions.render(template, context)
    except ExpressionFailed as error:
        return f"failed: {error.detail}"


@pytest.mark.parametrize("template", TEMPLATES, ids=str)
def test_a_template_sees_what_it_would_see_of_the_whole_run(state: State, template: JsonValue) -> None:
    run = RUN.model_copy(update={"input": {"n": 1, "name": "a"}})
    whole = expression_context(GIVEN, state, run, ALL)
    own = expression_context(GIVEN, state, run, expressions.steps_read(template))
    assert seen(template, own) == seen(template, whole)


@pytest.mark.parametrize("condition", ["steps.a.output.n > 1", "has(steps.d.deep)", "steps.s.status == 'succeeded'", "1 +"])
def test_so_does_a_condition(state: State, condition: str) -> None:
    whole = expression_context(GIVEN, state, RUN, ALL)
    own = expression_context(GIVEN, state, RUN, expressions.steps_read_by(condition))
    assert seen(f"${{ {condition} }}", own) == seen(f"${{ {condition} }}", whole)


class TestRecords:
    def test_are_those_on_the_way_to_what_is_read(self, state: State) -> None:
        assert set(records_read(state, [("d", "deep", "y", "output", "n")])) == {"d", "d.deep", "d.deep.y"}

    def test_are_all_inside_a_step_that_is_read_as_a_whole(self, state: State) -> None:
        assert set(records_read(state, [("d",)])) == {"d", "d.x", "d.deep", "d.deep.y", "d.none"}
        assert set(records_read(state, ALL)) == set(state.steps)

    def test_are_none_for_what_reads_no_steps(self, state: State) -> None:
        assert records_read(state, expressions.steps_read("${ input.n } and ${ config.limit }")) == {}


class Watched(dict[str, StepRecord]):
    """Records that count how often one of them is looked at."""

    looks = 0

    def __getitem__(self, path: str) -> StepRecord:
        """Look at one."""
        self.looks += 1
        return super().__getitem__(path)

    def get(self, path: str, default: StepRecord | None = None) -> StepRecord | None:  # pyright: ignore[reportIncompatibleMethodOverride] - dict's overloads say the same
        """Look at one that may be missing."""
        self.looks += 1
        return super().get(path, default)

    def items(self):  # noqa: ANN201 - dict's own view
        """Look at all."""
        self.looks += len(self)
        return super().items()


class TestLongRun:
    @pytest.mark.parametrize("nested", [False, True])
    def test_looks_at_no_more_records_at_its_end_than_at_its_beginning(self, *, nested: bool) -> None:
        play = Play(chain(200, nested=nested))
        watched = play.state.steps = Watched(play.state.steps)
        looks: list[int] = []
        while play.waiting:
            watched.looks = 0
            play.apply(Done(command=play.waiting[0], receipt=Receipt(fields={"n": 1})))
            looks.append(watched.looks)
        assert max(looks[150:199]) == max(looks[1:50])


def chain(length: int, *, nested: bool) -> Program:
    """Return calls that each read the one before, in one list or in blocks of ten."""
    before = ""
    steps: list[Step] = []
    for place in range(length):
        path = f"b{place // 10}.s{place}" if nested else f"s{place}"
        arguments: JsonValue = {"n": f"${{ steps.{before}.output.n }}"} if before else {}
        steps.append(call(path, arguments=arguments))
        before = path
    if not nested:
        return program(*steps)
    return program(*(saga(f"b{block}", *steps[10 * block : 10 * block + 10]) for block in range(length // 10)))
