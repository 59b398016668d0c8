"""What each claim came to, and whether bank, mail service, ledger and runs agree with what was expected. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from standfast_client import Run, Trace, Verdict

Json = Mapping[str, Any]  # Any: JSON of expected.json and of the services; each use names the member it reads


@dataclass(frozen=True, kw_only=True)
class ClaimOutcome:
    """A claim's run at its end.

    Attributes:
        claim_id: The claim.
        run: The run's row.
        result: Its output; empty when it failed.
        trace: What it did outside.
        verdict: The check of its ledger.
        decision: What a person said, if one was asked.
    """

    claim_id: str
    run: Run
    result: Json
    trace: Trace
    ledger: Verdict
    decision: Literal["approve", "reject"] | None = None

    @property
    def error_code(self) -> str:
        """Why the run failed, or nothing."""
        return self.run.error.code if self.run.error else ""

    def attempts(self, step: str) -> int:
        """Return how many attempts a step's effect took; 0 when it has none."""
        return max((effect.attempt for effect in self.trace.effects if effect.step == step), default=0)


@dataclass(frozen=True)
class Evidence:
    """What the services counted: the bank's and the mail service's `/summary`."""

    bank: Json
    mail: Json

    def of_claim(self, claim_id: str) -> Json:
        """Return the bank's figures of a claim, zeros when it never heard of it."""
        none = {"reservations": 0, "releases": 0, "payments": 0, "refunds": 0, "net_paid_micros": 0}
        return cast("Json", self.bank["by_claim"].get(claim_id, none))


def find_disagreements(outcomes: Sequence[ClaimOutcome], expected: Mapping[str, Json], evidence: Evidence) -> list[str]:
    """Return every disagreement as a sentence; none means that everything agrees."""
    found = [text for outcome in outcomes for text in _of_claim(outcome, expected[outcome.claim_id], evidence)]
    missing = sorted(set(expected) - {outcome.claim_id for outcome in outcomes})
    found += [f"{claim_id}: it was never run" for claim_id in missing]
    return found + _of_bank(outcomes, expected, evidence)


def _of_claim(outcome: ClaimOutcome, told: Json, evidence: Evidence) -> list[str]:
    rejected, fails = outcome.decision == "reject", told["scenario"] == "pay-fails"
    pays = told["verdict"] == "pay" and not rejected and not fails
    books, amount = evidence.of_claim(outcome.claim_id), told["amount_micros"]
    reserved = 1 if pays or fails else 0
    facts: list[tuple[str, object, object]] = [
        ("the run's status", outcome.run.status, "failed" if rejected or fails else "succeeded"),
        ("whether a person was asked", outcome.decision is not None, told["needs_person"]),
        ("the bank's reservations", books["reservations"], reserved),
        ("the bank's payments", books["payments"], 1 if pays else 0),
        ("the bank's releases", books["releases"], 1 if fails else 0),
        ("the bank's refunds", books["refunds"], 0),
        ("what the bank paid, in micro-units", books["net_paid_micros"], amount if pays else 0),
        ("the messages sent", evidence.mail["by_claim"].get(outcome.claim_id, 0), 0 if rejected or fails else 1),
        ("whether the ledger verifies", outcome.ledger.ok, True),
    ]
    if outcome.run.succeeded:
        facts += [
            ("the verdict", outcome.result.get("verdict"), told["verdict"]),
            ("the amount in micro-units", outcome.result.get("amount_micros"), amount),
        ]
    if told["scenario"] == "worker-killed":
        facts.append(("whether the message took more than one attempt", outcome.attempts("settle.notify") > 1, True))
    why = f" ({outcome.run.error.code}: {outcome.run.error.detail})" if outcome.run.error else ""
    return [f"{outcome.claim_id}: {what} is {is_so!r}, expected {should!r}{why}" for what, is_so, should in facts if is_so != should]


def _of_bank(outcomes: Sequence[ClaimOutcome], expected: Mapping[str, Json], evidence: Evidence) -> list[str]:
    paid = sum(expected[o.claim_id]["amount_micros"] for o in outcomes if evidence.of_claim(o.claim_id)["payments"])
    facts: list[tuple[str, object, object]] = [
        ("claims paid more than once", list(evidence.bank["paid_more_than_once"]), []),
        ("whether the books balance", evidence.bank["balanced"], True),
        ("what is still held, in micro-units", evidence.bank["held_micros"], 0),
        ("what was paid in all, in micro-units", evidence.bank["net_paid_micros"], paid),
        ("the most effects of one Idempotency-Key", evidence.bank["effects_per_key_max"], 1),
    ]
    return [f"the bank: {what}: {is_so!r}, expected {should!r}" for what, is_so, should in facts if is_so != should]
