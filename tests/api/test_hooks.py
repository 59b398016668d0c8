"""Inbound webhooks over HTTP: what senders are told, what their requests do, and how hooks are managed."""

import json
from datetime import timedelta

import pytest
from pydantic import JsonValue

from api.dead_letters import DeadLetters
from api.rates import Rates
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
        given = {"claim": {"id": "${ input.id }/${ input.type }/${ input.hook }/${ input.body.claim }"}}
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


class TestSender:
    def test_is_told_of_no_hook_and_no_tenant(self, house: Gateway) -> None:
        sender = register(house)
        for source in ("hok_00000000000000000000000000", "nonsense", "run_00000000000000000000000001", sender.hook.upper()):
            answer = house.client(None).post(f"/hooks/{source}", content=b"{}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")

    def test_of_a_disabled_or_removed_hook_gets_404(self, house: Gateway) -> None:
        off, gone = register(house, name="off", enabled=False), register(house, name="gone")
        assert house.client("developer").delete(f"/v1/hooks/{gone.hook}").json() == {"hook": gone.hook, "removed": True}
        assert [sender.send().status_code for sender in (off, gone)] == [404, 404]

    def test_is_refused_before_its_body_is_read(self, house: Gateway) -> None:
        sender = register(house)
        answer = house.client(None).post(sender.address, content=b"x" * (2 * 1024 * 1024))
        assert (answer.status_code, answer.json()["code"]) == (401, "signature-refused")
        assert "webhook-signature" in answer.json()["detail"]

    def test_with_a_body_over_the_limit_gets_413(self, house: Gateway) -> None:
        sender = register(house)
        assert sender.send(raw=b"x" * (1024 * 1024 + 1)).status_code == 413

    def test_needs_no_content_type(self, house: Gateway) -> None:
        sender = register(house)
        assert sender.post(sender.make().with_header("content-type", b"text/plain")).json()["state"] == "started"

    def test_over_its_rate_waits(self, house: Gateway) -> None:
        sender = register(house, rate_per_minute=6)
        assert [sender.send(f"e-{number}").status_code for number in range(2)] == [202, 429]
        answer = sender.send("e-3")
        assert (answer.json()["code"], answer.json()["retryable"]) == ("too-many-requests", True)
        assert 1 <= int(answer.headers["Retry-After"]) <= 10

    def test_that_is_refused_uses_up_no_rate(self, house: Gateway) -> None:
        sender = register(house, rate_per_minute=6)
        for _ in range(5):
            assert sender.send(secret="whsec_" + "A" * 43 + "=").status_code == 401
        assert sender.send().status_code == 202

    def test_slack_is_told_that_the_address_is_ours(self, house: Gateway) -> None:
        sender = register(house, "slack", secret="8f742231b10e8888abcd99yyyzzz85a5")
        asked = json.dumps({"type": "url_verification", "challenge": "3eZbrw1a"}).encode()
        answer = sender.send(raw=asked)
        assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1a"})
        assert house.stores.hook_requests.rows == {}

    def test_slack_may_send_a_form(self, house: Gateway) -> None:
        sender = register(house, "slack", action={**START, "input": {"claim": {"id": "${ input.body.user_id }"}}})
        assert sender.send(raw=b"command=%2Fclaim&user_id=U2CERLKJA").json()["state"] == "started"
        assert house.stores.database.accepted["default", the_run(house).run].input == {"claim": {"id": "U2CERLKJA"}}

    def test_slack_may_send_a_form_with_a_payload(self, house: Gateway) -> None:
        sender = register(house, "slack", action={**START, "input": {"claim": {"id": "${ input.body.user.id }"}}})
        sender.send(raw=b"payload=%7B%22type%22%3A%22block_actions%22%2C%22user%22%3A%7B%22id%22%3A%22U1%22%7D%7D")
        assert house.stores.database.accepted["default", the_run(house).run].input == {"claim": {"id": "U1"}}


class TestSecrets:
    def test_one_is_made_shown_once_and_never_again(self, house: Gateway) -> None:
        sender = register(house)
        assert sender.secret.startswith("whsec_")
        shown = house.client("developer").get(f"/v1/hooks/{sender.hook}").text
        assert sender.secret not in shown
        assert sender.secret not in house.client("viewer").get("/v1/hooks").text

    def test_one_that_was_brought_is_not_shown_at_all(self, house: Gateway) -> None:
        body = {"name": "slack", "scheme": "slack", "action": START, "secret": "8f742231b10e8888abcd99yyyzzz85a5"}
        answer = house.client("developer").post("/v1/hooks", json=body)
        assert answer.json()["secret"] is None
        assert "8f742231" not in answer.text

    def test_a_rotation_takes_both_for_a_while(self, house: Gateway) -> None:
        sender = register(house)
        rotated = house.client("developer").post(f"/v1/hooks/{sender.hook}/secrets", json={"keep_s": 60}).json()
        assert len(rotated["secrets"]) == 2
        assert sender.send("e-1").status_code == 202
        assert sender.send("e-2", secret=rotated["secret"]).status_code == 202
        house.stores.database.pass_time(seconds=61)
        assert sender.send("e-3").status_code == 401
        assert sender.send("e-4", secret=rotated["secret"]).status_code == 202

    def test_a_rotation_can_end_the_old_one_at_once(self, house: Gateway) -> None:
        sender = register(house)
        rotated = house.client("developer").post(f"/v1/hooks/{sender.hook}/secrets", json={"keep_s": 0}).json()
        assert len(rotated["secrets"]) == 1
        assert sender.send("e-1").status_code == 401


class TestHooks:
    def test_shows_address_and_rules(self, house: Gateway) -> None:
        sender = register(house)
        shown = house.client("viewer").get(f"/v1/hooks/{sender.hook}").json()
        assert (shown["address"], shown["scheme"], shown["tolerance_s"]) == (f"/hooks/{sender.hook}", "standard-webhooks", 300)
        assert shown["action"] == {**START, "config": {}}

    def test_another_tenants_is_absent(self, house: Gateway) -> None:
        sender = register(house)
        stranger = house.client("stranger")
        assert stranger.get(f"/v1/hooks/{sender.hook}").status_code == 404
        assert stranger.delete(f"/v1/hooks/{sender.hook}").status_code == 404
        assert stranger.post(f"/v1/hooks/{sender.hook}/secrets", json={}).status_code == 404
        assert stranger.get(f"/v1/hooks/{sender.hook}/requests").status_code == 404
        assert stranger.get("/v1/hooks").json()["items"] == []

    @pytest.mark.parametrize(
        ("change", "where"),
        [
            ({"action": {**START, "definition": "no-such"}}, "/action/definition"),
            ({"action": {**START, "input": "${ steps.a }"}}, "/action/input"),
            ({"action": {**START, "input": "${ input.body. }"}}, "/action/input"),
            ({"action": {**START, "config": {"a": "${ config.x }"}}}, "/action/config"),
            ({"action": {"kind": "signal", "signal": "paid"}}, "/action"),
            ({"action": {**SIGNAL, "run": "${ input.body.run }"}}, "/action"),
            ({"action": {**SIGNAL, "correlate": "${ self.x }"}}, "/action/correlate"),
            ({"action": {**SIGNAL, "signal": "No Name"}}, "/action/signal/signal"),
            ({"when": "${ 1 + }"}, "/when"),
            ({"when": "always"}, "/when"),
            ({"when": "${ 'text' }"}, "/when"),
            ({"secret": "short"}, "/secret"),
            ({"tolerance_s": 301}, "/tolerance_s"),
            ({"scheme": "none"}, "/scheme"),
            ({"name": "No Name"}, "/name"),
        ],
    )
    def test_refuses_what_can_never_work_and_says_where(self, house: Gateway, change: dict[str, JsonValue], where: str) -> None:
        body = {"name": "bank", "scheme": "standard-webhooks", "action": START, **change}
        answer = house.client("developer").post("/v1/hooks", json=body)
        assert answer.status_code == 422, answer.text
        assert where in [error["where"] for error in answer.json()["errors"]]

    def test_a_name_is_taken_once(self, house: Gateway) -> None:
        register(house)
        answer = house.client("developer").post("/v1/hooks", json={"name": "from-standard-webhooks", "scheme": "github", "action": START})
        assert answer.status_code == 409


class TestRates:
    def test_hold_ten_seconds_worth(self) -> None:
        now = [0.0]
        rates = Rates(lambda: now[0])
        assert [rates.take("a", per_minute=60) for _ in range(11)] == [0.0] * 10 + [1.0]
        now[0] = 1.0
        assert rates.take("a", per_minute=60) == 0.0
        assert rates.take("a", per_minute=60) == 1.0

    def test_do_not_mix_names(self) -> None:
        rates = Rates(lambda: 0.0)
        assert rates.take("a", per_minute=1) == 0.0
        assert rates.take("b", per_minute=1) == 0.0
        assert rates.take("a", per_minute=1) == timedelta(minutes=1).total_seconds()


class TestSignalOfACaller:
    def test_goes_to_the_run_with_its_stored_payload(self, house: Gateway) -> None:
        run = house.start()
        answer = house.client("operator").post(f"/v1/runs/{run}/signals/payment.settled", json={"payload": {"sum": 5}, "key": "c-1"})
        assert answer.status_code == 202, answer.text
        [(told, signal)] = house.temporal.signals
        assert answer.json() == {"run": run, "signal": "payment.settled", "id": signal.id}
        assert (told, signal.payload, signal.key, signal.source) == (run, {"sum": 5}, "c-1", house.principals["operator"].id)
        assert house.stores.database.payloads["default", signal.ref or ""] == {"key": "c-1", "payload": {"sum": 5}}
        assert kinds(house, run)[-1] == Kind.SIGNAL_SENT

    def test_has_one_id_per_idempotency_key(self, house: Gateway) -> None:
        run = house.start()
        for _ in range(2):
            house.forget_answers()
            headers = {"Idempotency-Key": "k-1"}
            assert house.client("operator").post(f"/v1/runs/{run}/signals/paid", json={}, headers=headers).status_code == 202
        assert len({signal.id for _, signal in house.temporal.signals}) == 1

    @pytest.mark.parametrize("name", ["deliver_signal", "complete_task", "No", "a" * 64])
    def test_needs_a_name_that_can_be_listened_for(self, house: Gateway, name: str) -> None:
        run = house.start()
        assert house.client("operator").post(f"/v1/runs/{run}/signals/{name}", json={}).status_code == 404

    def test_is_refused_when_it_is_too_large_or_the_run_has_ended(self, house: Gateway) -> None:
        run = house.start()
        large = house.client("operator").post(f"/v1/runs/{run}/signals/paid", json={"payload": "x" * 9000})
        assert (large.status_code, large.json()["errors"][0]["where"]) == (422, "/payload")
        house.succeed(run, None)
        assert house.client("operator").post(f"/v1/runs/{run}/signals/paid", json={}).json()["code"] == "run-closed"

    def test_to_a_run_that_has_not_started_comes_later(self, house: Gateway) -> None:
        run = house.start()
        house.temporal.started.clear()
        answer = house.client("operator").post(f"/v1/runs/{run}/signals/paid", json={})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


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
