"""The approve step: what is bound, what a decision and a deadline mean, and what a bound call then runs with."""

import pytest

from domain.approval import Decision, OpenApproval, approval_digest, attest, attested
from domain.decision_rules import refusal
from domain.ids import parse_id
from domain.runs import RunStatus
from domain.state import Decided
from tests.domain.play import Play
from tests.domain.programs import approve, call, do, program, put, saga

PAY = call("pay", arguments={"amount": "${ steps.owed.output }", "note": "${ input.n }"})
GATED = program(put("owed", 80), approve("gate", binds=["pay"], title="Pay ${ steps.owed.output }?", timeout_s=60), PAY)


class TestQuestion:
    def test_shows_the_exact_call_and_names_its_digest(self) -> None:
        asked = Play(GATED).asking("gate").approval
        assert asked.title == "Pay 80?"
        [bound] = asked.calls
        assert (bound.step, bound.tool, bound.version, bound.arguments) == ("pay", "bank.pay", "1.0.0", {"amount": 80, "note": 1})
        assert asked.digest == approval_digest(
            tenant="acme", run="run_1", approval=asked.approval, step="gate", visit=1, nonce=asked.nonce, calls=asked.calls
        )
        assert parse_id(asked.approval, "apr")
        assert asked.deadline == "2026-03-01T12:01:00.000000+00:00"
        assert asked.requester == "prn_starter"

    def test_has_an_id_and_nonce_of_its_own(self) -> None:
        play = Play(program(approve("one"), approve("two")))
        first = play.asking("one").approval
        play.decide("one", "approve")
        second = play.asking("two").approval
        assert len({first.approval, second.approval}) == 2
        assert first.nonce != second.nonce

    def test_finds_bound_calls_inside_containers(self) -> None:
        play = Play(program(approve("gate", binds=["s.d.pay"]), saga("s", do("s.d", call("s.d.pay", arguments={"x": 1})))))
        assert [bound.step for bound in play.asking("gate").approval.calls] == ["s.d.pay"]

    def test_that_cannot_be_put_fails_the_step(self) -> None:
        play = Play(program(approve("gate", title="${ input.missing }")))
        assert play.verdict == (RunStatus.FAILED, "expression-failed")


class TestApproval:
    def test_binds_the_arguments(self) -> None:
        play = Play(GATED)
        approval = play.asking("gate").approval.approval
        play.decide("gate", "approve")
        command = play.calling("pay")
        assert (command.arguments, command.approval) == ({"amount": 80, "note": 1}, approval)

    def test_never_evaluates_a_bound_argument_again(self) -> None:
        again = program(
            approve("gate", binds=["pay"]), put("late", 500), call("pay", arguments={"amount": "${ has(steps.late) ? 500 : 80 }"})
        )
        play = Play(again)
        play.decide("gate", "approve")
        assert play.calling("pay").arguments == {"amount": 80}

    def test_evaluates_what_is_unbound_when_the_call_is_reached(self) -> None:
        gate = approve("gate", binds=["pay"], unbound=["pay.reservation"])
        pay = call("pay", arguments={"amount": 80, "reservation": "${ steps.reserve.output.id }"})
        play = Play(program(gate, call("reserve", tool="bank.reserve"), pay))
        assert play.asking("gate").approval.calls[0].arguments == {"amount": 80}
        play.decide("gate", "approve")
        play.done("reserve", {"id": "r1"})
        assert play.calling("pay").arguments == {"amount": 80, "reservation": "r1"}

    def test_tells_who_decided(self) -> None:
        play = Play(program(approve("gate"), output="${ steps.gate.output }"))
        play.decide("gate", "approve")
        assert play.end.output == {"decision": "approve", "decided_by": "prn_reviewer", "comment": ""}
        [fact] = [fact for fact in play.state.unacked if fact.kind == "human:approval:decided"]
        assert (fact.principal, fact.data["verdict"]) == ("prn_reviewer", "approve")


class TestRejection:
    def test_fails_the_run_and_nothing_is_called(self) -> None:
        play = Play(GATED)
        play.apply(
            Decided.model_validate(
                {"command": play.pending("gate").id, "verdict": "reject", "decided_by": "prn_reviewer", "comment": "too much"}
            )
        )
        assert play.verdict == (RunStatus.FAILED, "approval-rejected")
        assert play.end.error is not None
        assert play.end.error["detail"] == "rejected by prn_reviewer: too much"

    def test_inside_a_saga_undoes_what_was_done(self) -> None:
        play = Play(program(saga("s", call("s.reserve", undo="bank.release"), approve("s.gate"))))
        play.done("s.reserve")
        play.decide("s.gate", "reject")
        assert [undo.step for undo in play.unwinding("s").undo] == ["s.reserve"]


class TestTimeout:
    @pytest.mark.parametrize(
        ("on_timeout", "status", "code"),
        [
            ("reject", RunStatus.FAILED, "approval-rejected"),
            ("fail", RunStatus.FAILED, "step-timed-out"),
            ("approve", RunStatus.SUCCEEDED, None),
        ],
    )
    def test_does_as_the_step_says(self, on_timeout: str, status: RunStatus, code: str | None) -> None:
        play = Play(program(approve("gate", timeout_s=60, on_timeout=on_timeout)))
        play.decide("gate", "timed_out")
        assert play.verdict == (status, code)
        assert "workflow:approval:timed_out gate" in play.facts()
        assert play.facts("human:") == []

    def test_that_approves_binds_the_arguments_too(self) -> None:
        play = Play(program(approve("gate", binds=["pay"], on_timeout="approve"), call("pay", arguments={"amount": 3})))
        play.decide("gate", "timed_out")
        assert play.calling("pay").approval is not None

    def test_comes_from_the_container_when_that_is_earlier(self) -> None:
        play = Play(program(do("d", approve("d.gate", timeout_s=3600), timeout_s=60)))
        assert play.asking("d.gate").approval.deadline == "2026-03-01T12:01:00.000000+00:00"


APPROVAL: OpenApproval = Play(GATED).asking("gate").approval
DECISION = Decision(
    decision_id="dec_1", approval=APPROVAL.approval, verdict="approve", digest=APPROVAL.digest, principal="prn_reviewer", comment="ok"
)


class TestRefusal:
    def test_lets_a_good_decision_pass(self) -> None:
        assert refusal(APPROVAL, DECISION) is None

    @pytest.mark.parametrize(
        ("approval", "decision", "code"),
        [
            (None, DECISION, "not-found"),
            (APPROVAL.model_copy(update={"decision": "timed_out"}), DECISION, "approval-closed"),
            (APPROVAL.model_copy(update={"decision": "approve"}), DECISION, "approval-closed"),
            (APPROVAL, DECISION.model_copy(update={"digest": "0" * 64}), "stale-digest"),
            (APPROVAL, DECISION.model_copy(update={"digest": ""}), "stale-digest"),
            (APPROVAL, DECISION.model_copy(update={"principal": "prn_starter"}), "forbidden"),
        ],
    )
    def test_refuses(self, approval: OpenApproval | None, decision: Decision, code: str) -> None:
        refused = refusal(approval, decision)
        assert refused is not None
        assert refused.code == code

    def test_lets_the_requester_decide_where_the_step_allows_it(self) -> None:
        own = APPROVAL.model_copy(update={"exclude_requester": False})
        assert refusal(own, DECISION.model_copy(update={"principal": "prn_starter"})) is None


class TestAttestation:
    KEY = b"k" * 32

    def test_is_the_gateways_word(self) -> None:
        said = DECISION.model_copy(update={"attestation": attest(self.KEY, tenant="acme", run="run_1", decision=DECISION)})
        assert attested(self.KEY, tenant="acme", run="run_1", decision=said)

    @pytest.mark.parametrize(
        "change",
        [{"verdict": "reject"}, {"principal": "prn_other"}, {"approval": "apr_x"}, {"digest": "0"}, {"comment": "x"}, {"decision_id": "d"}],
    )
    def test_covers_every_field(self, change: dict[str, str]) -> None:
        mark = attest(self.KEY, tenant="acme", run="run_1", decision=DECISION)
        said = DECISION.model_copy(update={**change, "attestation": mark})
        assert not attested(self.KEY, tenant="acme", run="run_1", decision=said)

    def test_holds_for_one_run_of_one_tenant_and_one_key(self) -> None:
        said = DECISION.model_copy(update={"attestation": attest(self.KEY, tenant="acme", run="run_1", decision=DECISION)})
        assert not attested(self.KEY, tenant="acme", run="run_2", decision=said)
        assert not attested(self.KEY, tenant="other", run="run_1", decision=said)
        assert not attested(b"x" * 32, tenant="acme", run="run_1", decision=said)
        assert not attested(self.KEY, tenant="acme", run="run_1", decision=DECISION)


def test_the_digest_of_an_approval_changes_with_every_part() -> None:
    base = {"tenant": "a", "run": "r", "approval": "p", "step": "s", "visit": 1, "nonce": "n", "calls": APPROVAL.calls}
    changed = [call.model_copy(update={"arguments": {"amount": 81}}) for call in APPROVAL.calls]
    others: list[dict[str, object]] = [
        {"tenant": "b"}, {"run": "x"}, {"approval": "x"}, {"step": "x"}, {"visit": 2}, {"nonce": "x"}, {"calls": []}, {"calls": changed},
    ]  # fmt: skip
    digests = [approval_digest(**{**base, **other}) for other in [{}, *others]]  # type: ignore[arg-type]
    assert len(set(digests)) == len(digests)
