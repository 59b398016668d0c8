"""Two runs side by side: what is alike, what is not, and what a fork took over."""

from pydantic import JsonValue

from domain.compare import Compared, Comparison, StepPair, compare
from domain.effects import EffectState
from domain.ledger import ZERO_HASH, EntryBody, Kind, StoredEntry
from domain.runs import RunStatus
from domain.stores import EffectRow, RunRow

AT, LATER = "2026-03-01T12:00:00.000000Z", "2026-03-01T12:00:01.500000Z"


def entry(kind: Kind, step: str | None, *, visit: int = 1) -> StoredEntry:
    """Build a ledger entry; its hashes are not looked at."""
    body = EntryBody(kind=kind, at=AT, principal="prn_a", correlation_id="c", epoch=1, step=step, visit=visit)
    stored = {"tenant": "acme", "run": "run_1", "seq": 1, "recorded_at_us": 0, "prev": ZERO_HASH, "hash": ZERO_HASH}
    return StoredEntry.model_validate(
        {
            **stored,
            "body": body.canonical(),
            **body.model_dump(include={"kind", "principal", "epoch", "step", "fact_seq", "payload_digest"}),
        }
    )


def effect(step: str, digest: str = "d", *, call: str = "call", state: EffectState = EffectState.DONE, **more: object) -> EffectRow:
    """Build an effect that took one and a half seconds."""
    plain = {"visit": 1, "subject": "t@1", "effect_class": "money", "attempt": 1, "started_at": AT, "ended_at": LATER, "model": None}
    used = {"input_tokens": 0, "output_tokens": 0, "cost_usd_micros": 0, "error": None, "output_digest": digest}
    return EffectRow.model_validate({"step": step, "call": call, "state": state, **plain, **used, **more})


def run(
    name: str,
    *steps: str,
    effects: tuple[EffectRow, ...] | None = None,
    entries: tuple[StoredEntry, ...] = (),
    result: JsonValue = None,
    **row: object,
) -> Compared:
    """Build a run that came to these steps and succeeded at each."""
    plain = {"tenant": "acme", "definition": "claim", "version": "1.0.0", "definition_sha256": "0" * 64, "principal": "prn_a"}
    times = {"correlation_id": "c", "fingerprint": "f", "created_at": AT, "updated_at": LATER, "closed_at": LATER}
    told = [entry(kind, step) for step in steps for kind in (Kind.STEP_ENTERED, Kind.STEP_COMPLETED)]
    return Compared(
        row=RunRow.model_validate({"run": name, "status": RunStatus.SUCCEEDED, **plain, **times, **row}),
        result=result,
        effects=tuple(effect(step) for step in steps) if effects is None else effects,
        entries=(entry(Kind.RUN_STARTED, None), *told, *entries),
    )


def pair(found: Comparison, step: str) -> StepPair:
    """Return the line of a step."""
    return next(each for each in found.steps if each.step == step)


def forked(name: str, at: str, *steps: str, **more: object) -> Compared:
    """Build a fork of `run_a`."""
    return run(name, *steps, parent_run="run_a", fork_step=at, fork_effects="simulated", **more)  # pyright: ignore[reportArgumentType] - run's own keywords


class TestOutcome:
    def test_is_the_same_when_status_result_and_error_are(self) -> None:
        assert compare(run("run_a", result={"paid": 1}), run("run_b", result={"paid": 1})).same_outcome
        assert not compare(run("run_a", result={"paid": 1}), run("run_b", result={"paid": 2})).same_outcome
        failed = run("run_b", status=RunStatus.FAILED, error={"code": "tool-failed", "detail": "no"})
        assert not compare(run("run_a"), failed).same_outcome

    def test_tells_what_b_used_more_than_a(self) -> None:
        found = compare(
            run("run_a", input_tokens=10, cost_usd_micros=500), run("run_b", input_tokens=12, output_tokens=3, cost_usd_micros=100)
        )
        assert (found.tokens_difference, found.cost_difference_usd_micros) == (5, -400)

    def test_tells_how_long_each_took_and_nothing_of_an_open_run(self) -> None:
        found = compare(run("run_a"), run("run_b", closed_at=None, status=RunStatus.RUNNING))
        assert (found.a.duration_ms, found.b.duration_ms) == (1500, None)


class TestStep:
    def test_is_the_same_when_it_ended_alike_with_an_equal_outcome(self) -> None:
        found = compare(run("run_a", "pay", "tell"), run("run_b", "pay", "tell", effects=(effect("pay"), effect("tell", "other"))))
        assert [(each.step, each.same) for each in found.steps] == [("pay", True), ("tell", False)]

    def test_that_only_one_run_came_to_has_one_side(self) -> None:
        found = compare(run("run_a", "pay", "tell"), run("run_b", "pay"))
        assert (pair(found, "tell").b, pair(found, "tell").same) == (None, False)

    def test_that_failed_in_one_differs(self) -> None:
        failed = run("run_b", entries=(entry(Kind.STEP_ENTERED, "pay"), entry(Kind.STEP_FAILED, "pay")), effects=())
        found = pair(compare(run("run_a", "pay"), failed), "pay")
        assert found.b is not None
        assert (found.b.status, found.same) == ("failed", False)

    def test_has_the_outcome_of_its_last_call_and_not_of_its_undo(self) -> None:
        undone = (effect("pay", "1"), effect("pay", "2", visit=2), effect("pay", "undo", call="compensate.2", visit=2))
        found = pair(compare(run("run_a", "pay", effects=(effect("pay", "2"),)), run("run_b", "pay", effects=undone)), "pay")
        assert found.b is not None
        assert (found.b.digest, found.b.calls, found.same) == ("2", 3, True)

    def test_counts_visits_failures_simulations_tokens_money_and_time(self) -> None:
        calls = (
            effect("pay", state=EffectState.FAILED, output_digest=None),
            effect("pay", visit=2, input_tokens=3, output_tokens=4, cost_usd_micros=9),
        )
        told = (entry(Kind.STEP_ENTERED, "pay", visit=2), entry(Kind.TOOL_SIMULATED, "pay", visit=2))
        side = pair(compare(run("run_a", "pay", effects=calls, entries=told), run("run_b")), "pay").a
        assert side is not None
        assert (side.visits, side.calls, side.failed_calls, side.simulated_calls) == (2, 2, 1, 1)
        assert (side.input_tokens, side.output_tokens, side.cost_usd_micros, side.duration_ms) == (3, 4, 9, 3000)


class TestFork:
    def test_is_said_to_be_one_whichever_comes_first(self) -> None:
        parent, child = run("run_a", "look", "pay"), forked("run_b", "pay", "pay")
        said = "run_b is a fork of run_a at pay, with effects simulated"
        assert compare(parent, child).related == compare(child, parent).related == said
        assert compare(parent, run("run_c")).related is None

    def test_shows_what_it_took_over_as_copied_and_the_same(self) -> None:
        found = compare(run("run_a", "look", "pay"), forked("run_b", "pay", "pay", effects=(effect("pay", "other"),)))
        side = pair(found, "look").b
        assert side is not None
        assert (side.status, side.calls, pair(found, "look").same, pair(found, "pay").same) == ("copied", 0, True, False)

    def test_copies_no_step_around_or_after_the_one_it_was_made_at(self) -> None:
        found = compare(run("run_a", "look", "settle", "settle.pay", "tell"), forked("run_b", "settle.pay", "settle.pay"))
        assert [(each.step, each.b and each.b.status) for each in found.steps] == [
            ("look", "copied"),
            ("settle", None),
            ("settle.pay", "succeeded"),
            ("tell", None),
        ]
