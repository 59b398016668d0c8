"""Requests of inbound webhooks: what they start, whom they signal, and what becomes of those that cannot be handled."""

import pytest
from pydantic import JsonValue

from api.dead_letters import DeadLetters
from api.sweeper import Sweeper
from domain.dead_letters import DeadLetter, DeadLetterFilter
from domain.errors import NotRedrivable, Unavailable
from domain.hooks import signal_id
from domain.ledger import Kind
from domain.runs import Projection, RunStatus
from domain.signals import ListenerProjection, listener_hash
from domain.stores import RunRow
from tests.api.gateway import ATTESTATION, Gateway, wait_for
from tests.api.hook_bench import SCHEMES, SIGNAL, START, register


def kinds(house: Gateway, run: str) -> list[str]:
    """Return the kinds of a run's entries."""
    return [entry.kind for entry in wait_for(house.stores.ledger.entries("default", run))]


def letters(house: Gateway) -> list[DeadLetter]:
    """Return the open dead letters."""
    return list(wait_for(house.stores.dead_letters.page("default", DeadLetterFilter())).items)


def listens(house: Gateway, run: str, key: str = "c-1") -> None:
    """Let a run listen for a payment."""
    hashed = listener_hash(ATTESTATION, tenant="default", signal="payment.settled", key=key)
    listener = ListenerProjection(step="paid", visit=1, signal="payment.settled", hash=hashed, opened=True)
    wait_for(house.stores.listeners.keep("default", run, listener, epoch=1, fact_seq=1))


def sweep(house: Gateway) -> None:
    """Let the sweeper go round once, a while later."""
    house.stores.database.pass_time(seconds=10)
    wait_for(Sweeper(house.deps, pause_s=1).round())


def the_run(house: Gateway) -> RunRow:
    """Return the only run there is."""
    [row] = house.stores.database.runs.values()
    return row


class TestRequestThatStarts:
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_is_accepted_and_starts_the_run(self, house: Gateway, scheme: str) -> None:
        sender = register(house, scheme)  # pyright: ignore[reportArgumentType] - a scheme by its name
        answer = sender.send("evt-7", {"claim": "c-9"})
        assert answer.status_code == 202
        row = the_run(house)
        assert answer.json() == {"id": "evt-7", "state": "started", "run": row.run, "correlation_id": row.correlation_id}
        assert (row.principal, row.definition) == (sender.hook, "delay-claim")
        assert house.stores.database.accepted["default", row.run].input == {"claim": {"id": "c-9"}}
        assert list(house.temporal.started) == [row.run]
        assert kinds(house, row.run) == [Kind.RUN_ACCEPTED, Kind.HOOK_RECEIVED]

    def test_carries_the_senders_correlation_id(self, house: Gateway) -> None:
        sender = register(house)
        sent = sender.make()
        answer = sender.post(sent.with_header("x-correlation-id", b"corr-of-the-bank"))
        assert answer.headers["X-Correlation-ID"] == "corr-of-the-bank"
        assert the_run(house).correlation_id == "corr-of-the-bank"

    def test_again_gets_the_same_bytes_and_starts_nothing(self, house: Gateway) -> None:
        sender = register(house)
        first = sender.send()
        again = sender.send()
        assert (again.status_code, again.content) == (202, first.content)
        assert (first.headers.get("Idempotency-Replayed"), again.headers.get("Idempotency-Replayed")) == (None, "true")
        assert len(house.temporal.started) == 1

    def test_is_started_by_the_sweeper_when_temporal_was_down(self, house: Gateway) -> None:
        sender = register(house)
        house.temporal.down = Unavailable("away")
        assert sender.send().status_code == 202
        house.temporal.down = None
        sweep(house)
        assert list(house.temporal.started) == [the_run(house).run]

    def test_may_be_ignored(self, house: Gateway) -> None:
        sender = register(house, "github", when="${ input.type == 'push' && input.body.claim == 'c-2' }")
        assert sender.send("e-1", {"claim": "c-2"}).json()["state"] == "ignored"
        sent = sender.make("e-2", {"claim": "c-2", "n": 2})
        assert sender.post(sent.with_header("x-github-event", b"push")).json()["state"] == "started"

    def test_reads_body_id_type_and_name(self, house: Gateway) -> None:
        given: JsonValue = {"claim": {"id": "${ input.id }/${ input.type }/${ input.hook }/${ input.body.claim }"}}
        sender = register(house, "github", action={**START, "input": given})
        sender.send("e-1")
        assert house.stores.database.accepted["default", the_run(house).run].input == {"claim": {"id": "e-1/payment/from-github/c-1"}}


class TestRequestThatCannotBeHandled:
    @pytest.mark.parametrize(
        ("raw", "cause"),
        [
            (b"no json", "bad-request"),
            (b'{"claim": 1, "claim": 2}', "bad-request"),
            (b"{}", "expression-failed"),
            (b'{"claim": 5}', "invalid-input"),
            (b"[" * 100 + b"]" * 100, "body-too-large"),
        ],
    )
    def test_is_accepted_and_becomes_a_dead_letter(self, house: Gateway, raw: bytes, cause: str) -> None:
        sender = register(house)
        answer = sender.send("e-1", raw=raw)
        assert (answer.status_code, answer.json()["state"], answer.json()["run"]) == (202, "dead", None)
        [letter] = letters(house)
        assert (letter.kind, letter.cause, letter.subject) == ("hook", cause, f"{sender.hook}/e-1")
        assert sender.send("e-1", raw=raw).content == answer.content
        assert len(letters(house)) == 1

    def test_is_redriven_by_the_rules_of_now(self, house: Gateway) -> None:
        sender = register(house)
        told = sender.send("e-1", {"number": "c-4"})
        [letter] = letters(house)
        redriving = DeadLetters(house.deps)
        with pytest.raises(NotRedrivable, match="expression-failed"):
            wait_for(redriving.redrive("default", letter.dead_letter, by="prn_o", reason=None))
        rules = {"name": "from-bank", "action": {**START, "input": {"claim": {"id": "${ input.body.number }"}}}}
        assert house.client("developer").put(f"/v1/hooks/{sender.hook}", json=rules).status_code == 200
        wait_for(redriving.redrive("default", letter.dead_letter, by="prn_o", reason=None))
        row = the_run(house)
        assert house.stores.database.accepted["default", row.run].input == {"claim": {"id": "c-4"}}
        assert list(house.temporal.started) == [row.run]
        assert sender.send("e-1", {"number": "c-4"}).content == told.content
        assert letters(house) == []


class TestRequestThatSignals:
    def test_reaches_the_run_that_listens(self, house: Gateway) -> None:
        sender = register(house, action={**SIGNAL, "payload": {"sum": "${ input.body.sum }"}})
        run, other = house.start(), house.start()
        listens(house, run)
        listens(house, other, key="c-2")
        answer = sender.send("e-1", {"claim": "c-1", "sum": 5})
        assert (answer.json()["state"], answer.json()["run"]) == ("waiting", None)
        [(told, signal)] = house.temporal.signals
        assert (told, signal.name, signal.payload, signal.key, signal.source) == (run, "payment.settled", {"sum": 5}, "c-1", sender.hook)
        assert signal.ref is not None
        assert kinds(house, run)[-1] == Kind.SIGNAL_SENT
        assert house.client("viewer").get(f"/v1/hooks/{sender.hook}/requests").json()["items"][0]["state"] == "delivered"

    def test_waits_for_a_run_that_listens_later(self, house: Gateway) -> None:
        sender = register(house, action=SIGNAL)
        sender.send("e-1")
        sweep(house)
        assert house.temporal.signals == []
        run = house.start()
        listens(house, run)
        sweep(house)
        sweep(house)
        assert [told for told, _ in house.temporal.signals] == [run]

    def test_is_sent_again_under_the_same_id_when_temporal_was_down(self, house: Gateway) -> None:
        sender = register(house, action=SIGNAL)
        run = house.start()
        listens(house, run)
        house.temporal.down = Unavailable("away")
        sender.send("e-1")
        house.temporal.down = None
        sweep(house)
        [(told, _)] = house.temporal.signals
        assert told == run
        assert kinds(house, run).count(Kind.SIGNAL_SENT) == 1

    def test_goes_to_the_run_it_names(self, house: Gateway) -> None:
        sender = register(house, action={"kind": "signal", "signal": "payment.settled", "run": "${ input.body.run }"})
        run = house.start()
        sender.send("e-1", {"run": run})
        assert [told for told, _ in house.temporal.signals] == [run]

    def test_that_names_no_run_or_an_ended_one_is_a_dead_letter(self, house: Gateway) -> None:
        sender = register(house, action={"kind": "signal", "signal": "payment.settled", "run": "${ input.body.run }"})
        ended = house.start()
        house.succeed(ended, None)
        for number, run in enumerate((ended, "run_00000000000000000000000009", "nonsense")):
            sender.send(f"e-{number}", {"run": run})
        sweep(house)
        assert sorted(letter.cause for letter in letters(house)) == ["invalid-id", "no-listener", "no-listener"]
        assert house.temporal.signals == []

    def test_finds_another_run_when_its_own_has_ended_meanwhile(self, house: Gateway) -> None:
        sender = register(house, action=SIGNAL)
        first, second = house.start(), house.start()
        listens(house, first)
        house.temporal.down = Unavailable("away")
        sender.send("e-1")
        house.temporal.down = None
        house.project(first, Projection(status=RunStatus.FAILED, error={"code": "x", "detail": "y", "step": ""}))
        del house.temporal.started[first]
        listens(house, second)
        sweep(house)
        sweep(house)
        assert [told for told, _ in house.temporal.signals] == [second]

    def test_that_nobody_waits_for_in_time_is_a_dead_letter(self, house: Gateway) -> None:
        sender = register(house, action={**SIGNAL, "hold_s": 60})
        sender.send("e-1")
        sweep(house)
        assert letters(house) == []
        house.stores.database.pass_time(seconds=60)
        sweep(house)
        [letter] = letters(house)
        assert (letter.cause, letter.subject) == ("no-listener", f"{sender.hook}/e-1")
        assert letter.attempts >= 2

    def test_with_too_much_to_say_is_a_dead_letter(self, house: Gateway) -> None:
        sender = register(house, action=SIGNAL)
        sender.send("e-1", {"claim": "c-1", "text": "x" * 9000})
        [letter] = letters(house)
        assert letter.cause == "invalid-input"
        assert "8192" in letter.detail


class TestSignalWhoseRunHasEnded:
    """A gateway dies between sending a signal and writing that down; the run goes on, ends, and the sweeper comes."""

    def lost(self, house: Gateway) -> tuple[str, str]:
        """Let a signal be aimed at a run while Temporal is away; return the run and the signal's id."""
        sender = register(house, action=SIGNAL)
        run = house.start()
        listens(house, run)
        house.temporal.down = Unavailable("away")
        sender.send("e-1")
        house.temporal.down = None
        del house.temporal.started[run]
        return run, signal_id(sender.hook, "e-1")

    def state(self, house: Gateway) -> str:
        """Return how far the request is."""
        [row] = house.stores.hook_requests.rows.values()
        return row.state

    def test_is_delivered_when_the_ledger_says_that_it_came(self, house: Gateway) -> None:
        run, signal = self.lost(house)
        data: dict[str, JsonValue] = {"id": signal, "signal": "payment.settled"}
        at = house.stores.database.now()
        wait_for(house.stores.runs.append_entry("default", run, kind=Kind.SIGNAL_RECEIVED, principal="hok", at=at, data=data))
        house.succeed(run, None)
        other = house.start()
        listens(house, other)
        sweep(house)
        sweep(house)
        assert (self.state(house), house.temporal.signals) == ("delivered", [])

    def test_waits_for_another_run_when_it_surely_did_not_come(self, house: Gateway) -> None:
        run, _ = self.lost(house)
        house.succeed(run, None)
        other = house.start()
        listens(house, other)
        sweep(house)
        sweep(house)
        assert [told for told, _ in house.temporal.signals] == [other]

    def test_is_a_dead_letter_when_nobody_knows(self, house: Gateway) -> None:
        run, _ = self.lost(house)
        house.project(run, Projection(status=RunStatus.TERMINATED))
        sweep(house)
        assert (self.state(house), [letter.cause for letter in letters(house)]) == ("dead", ["signal-in-doubt"])

    def test_is_sent_again_while_the_run_is_not_closed(self, house: Gateway) -> None:
        run, _ = self.lost(house)
        house.project(run, Projection(status=RunStatus.RUNNING))
        sweep(house)
        assert self.state(house) == "sending"
