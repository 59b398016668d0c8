"""The listen step: which signal ends it, what its output is, what is kept, and what a redrive knows of it."""

from pydantic import JsonValue

from domain.ledger import Kind
from domain.past import KnownSignal, Past
from domain.program import ListenStep
from domain.rebuild import rebuild_for_redrive
from domain.runs import RunStatus
from domain.signals import KEPT_MAX, KNOWN_MAX, Signal
from domain.state import Failed, Failure, Listen, Signalled, State
from tests.domain.past_of import tick
from tests.domain.play import RUN, Play
from tests.domain.programs import call, program, put


def listen(path: str, *, signal: str = "paid", **more: object) -> ListenStep:
    """Build a listen step."""
    return ListenStep.model_validate({"path": path, "signal": signal, **more})


def signal(name: str = "paid", payload: JsonValue = None, *, id: str = "s-1", key: str | None = None) -> Signalled:  # noqa: A002 - the field's name
    """Build a signal's arrival."""
    return Signalled(signal=Signal(id=id, name=name, payload=payload, key=key, ref=f"ref-{id}", source="hok_1"))


WAITS = program(listen("wait"), put("after", "${ steps.wait.output.sum }"), output="${ steps.after.output }", projections={"wait": ["sum"]})


class TestListenStep:
    def test_waits_for_its_signal_and_gives_its_payload(self) -> None:
        play = Play(WAITS)
        asked = play.pending("wait")
        assert isinstance(asked, Listen)
        assert (asked.signal, asked.key, asked.deadline) == ("paid", None, None)
        play.apply(signal(payload={"sum": 5, "private": "x"}))
        assert (play.end.status, play.end.output) == (RunStatus.SUCCEEDED, 5)
        record = play.state.steps["wait"]
        assert (record.fields, record.ref) == ({"sum": 5}, "ref-s-1")

    def test_notes_who_sent_what_and_never_the_payload(self) -> None:
        play = Play(WAITS)
        play.apply(signal(payload={"sum": 5}, key=None))
        [fact] = [fact for fact in play.state.unacked if fact.kind == Kind.SIGNAL_RECEIVED]
        assert (fact.step, fact.principal, fact.data) == ("wait", "hok_1", {"signal": "paid", "id": "s-1", "payload": "ref-s-1"})

    def test_takes_no_signal_of_another_name_or_key(self) -> None:
        play = Play(program(listen("wait", correlate="c-${ input.n }")))
        play.apply(signal("refused"))
        play.apply(signal(id="s-2", key="c-2"))
        assert play.waiting == ["wait#1/listen"]
        play.apply(signal(id="s-3", key="c-1"))
        assert play.end.status is RunStatus.SUCCEEDED

    def test_takes_a_signal_without_a_key(self) -> None:
        play = Play(program(listen("wait", correlate="c-${ input.n }")))
        play.apply(signal())
        assert play.end.status is RunStatus.SUCCEEDED

    def test_fails_when_its_key_cannot_be_computed(self) -> None:
        assert Play(program(listen("wait", correlate="${ input.missing }"))).verdict == (RunStatus.FAILED, "expression-failed")
        assert Play(program(listen("wait", correlate="${ input }"))).verdict == (RunStatus.FAILED, "expression-failed")

    def test_fails_at_its_deadline(self) -> None:
        play = Play(program(listen("wait", timeout_s=60)))
        asked = play.pending("wait")
        assert isinstance(asked, Listen)
        assert asked.deadline == "2026-03-01T12:01:00.000000+00:00"
        play.apply(Failed(command=asked.id, failure=Failure(code="step-timed-out", detail="late", step="wait")))
        assert play.verdict == (RunStatus.FAILED, "step-timed-out")

    def test_ends_with_the_run_when_that_is_cancelled(self) -> None:
        play = Play(WAITS)
        play.cancel()
        play.fail("wait", "run-cancelled")
        assert play.end.status is RunStatus.CANCELLED


class TestEarlySignals:
    def test_are_kept_for_the_step_that_listens_later(self) -> None:
        play = Play(program(call("first"), listen("wait"), output="${ steps.wait.output }", projections={"wait": [""]}))
        play.apply(signal(payload=7))
        assert play.facts("workflow:signal") == ["workflow:signal:kept"]
        play.done("first")
        assert play.end.output == 7
        assert play.facts("workflow:signal") == ["workflow:signal:kept", "workflow:signal:received wait"]
        assert play.state.signals == []

    def test_go_to_the_steps_in_the_order_they_came(self) -> None:
        two = program(call("first"), listen("one"), listen("two"), output="${ [steps.one.output, steps.two.output] }")
        play = Play(two.model_copy(update={"projections": {"one": [""], "two": [""]}}))
        play.apply(signal(payload=1, id="a"))
        play.apply(signal(payload=2, id="b"))
        play.done("first")
        assert play.end.output == [1, 2]

    def test_travel_with_the_state(self) -> None:
        play = Play(program(call("first"), listen("wait")))
        play.apply(signal(payload={"sum": 5}))
        carried = State.model_validate(play.state.model_dump(mode="json"))
        later = Play(program(call("first"), listen("wait")), state=carried, turn=10)
        later.apply(signal(payload={"sum": 5}))
        later.done("first")
        assert later.end.status is RunStatus.SUCCEEDED

    def test_are_refused_when_there_is_no_room(self) -> None:
        play = Play(program(call("first"), listen("wait")))
        for number in range(KEPT_MAX + 2):
            play.apply(signal(id=f"s-{number}"))
        assert len(play.state.signals) == KEPT_MAX
        assert play.facts("workflow:signal:refused") == ["workflow:signal:refused"] * 2

    def test_are_refused_when_they_are_too_large_together(self) -> None:
        play = Play(program(call("first"), listen("wait")))
        for number in range(6):
            play.apply(signal(payload="x" * 8000, id=f"s-{number}"))
        assert len(play.state.signals) == 4


class TestTheSameSignalAgain:
    def test_counts_once(self) -> None:
        play = Play(program(listen("one"), listen("two")))
        play.apply(signal())
        play.apply(signal())
        assert play.waiting == ["two#1/listen"]

    def test_is_known_among_many(self) -> None:
        play = Play(program(listen("one"), listen("two")))
        for number in range(KNOWN_MAX - 1):
            play.apply(signal("other", id=f"o-{number}"))
        play.apply(signal())
        play.apply(signal())
        assert play.waiting == ["two#1/listen"]
        assert len(play.state.known_signals) == KNOWN_MAX

    def test_after_the_end_changes_nothing(self) -> None:
        play = Play(program(put("only", 1)))
        facts = play.state.fact_seq
        play.apply(signal())
        assert play.state.fact_seq == facts


class TestRedrive:
    def test_knows_what_a_step_was_told(self) -> None:
        pays = call("pay", arguments={"sum": "${ steps.wait.output.sum }"})
        told = Play(program(listen("wait"), pays, projections={"wait": ["sum"]}))
        told.apply(signal(payload={"sum": 5}))
        known = KnownSignal(signal=signal(payload={"sum": 5}).signal, at="2026-03-01T12:00:01.000000Z", step="wait", visit=1)
        facts = frozenset((str(fact.kind), fact.step, fact.visit) for fact in told.state.unacked)
        past = Past(run="run_1", epoch=1, fact_head=told.state.fact_seq, facts=facts, signals=(known,))
        rebuilt = rebuild_for_redrive(told.stepper.program, RUN, past, tick())
        assert (rebuilt.step, rebuilt.kept) == ("pay", ["wait"])
        assert rebuilt.state.steps["wait"].fields == {"sum": 5}
        assert not [fact for fact in rebuilt.state.unacked if fact.kind == Kind.SIGNAL_RECEIVED]

    def test_keeps_what_nobody_has_taken(self) -> None:
        early = KnownSignal(signal=signal(payload=7, key="c").signal, at="2026-03-01T12:00:01.000000Z")
        past = Past(run="run_1", epoch=1, fact_head=3, signals=(early,))
        rebuilt = rebuild_for_redrive(program(call("first"), listen("wait")), RUN, past, tick())
        assert [kept.payload for kept in rebuilt.state.signals] == [7]
        assert rebuilt.state.known_signals == ["s-1"]

    def test_waits_again_for_what_never_came(self) -> None:
        past = Past(run="run_1", epoch=1, fact_head=2)
        rebuilt = rebuild_for_redrive(program(listen("wait", timeout_s=60)), RUN, past, tick())
        assert rebuilt.step == "wait"
