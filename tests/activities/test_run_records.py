"""The activities that write what a run knows: flushes, checked decisions, answers about effects in doubt."""

import dataclasses

import pytest
from pydantic import JsonValue
from temporalio.testing import ActivityEnvironment

from activities.requests import DecisionRequest, FlushRequest, ResolveRequest
from activities.run_records import RunRecordActivities
from domain.approval import Decision, attest
from domain.effects import EffectState, Outcome, RetryClass
from domain.envelope import Envelope, Receipt
from domain.errors import FactDiverged, FactGap, ProjectionTooLarge, RunUnlinked
from domain.principals import Role
from domain.runs import Projection, RunStatus
from tests.activities.bench import KEY, RUN, TENANT, Attempts, envelope, fact, paying
from tests.fake_journal import FakeJournal
from tests.fakes_stores import FakeStores

SECRET = b"k" * 32


async def records(journal: FakeJournal, *, role: Role = Role.APPROVER, reviewer_roles: tuple[str, ...] = ("payer",)) -> RunRecordActivities:
    """Build the activities; one reviewer is known."""
    keys = FakeStores().keys
    await keys.create(TENANT, key_id="k1", secret_hmac=b"s", principal="prn_reviewer", name="r", role=role, reviewer_roles=reviewer_roles)
    return RunRecordActivities(run_ledger=journal, journal=journal, keys=keys, attestation_key=SECRET)


def with_request(request: dict[str, JsonValue], *, project: list[str] | None = None) -> Envelope:
    """Build an envelope."""
    return envelope(fact(1)).model_copy(update={"request": request, "project": project or [""]})


def asking(**change: str) -> Envelope:
    """Build a question whether a decision may count, attested before `change`."""
    decision = Decision(decision_id="dec_1", approval="apr_1", verdict="approve", digest="d", principal="prn_reviewer")
    decision = decision.model_copy(update={"principal": change.pop("principal", decision.principal)})
    marked = decision.model_copy(update={"attestation": attest(SECRET, tenant=TENANT, run=RUN, decision=decision), **change})
    request = DecisionRequest(decision=marked, reviewer_role="payer", exclude_requester=True, requester="prn_starter")
    return with_request(request.model_dump(mode="json"))


class TestFlush:
    async def test_writes_facts_and_projection(self) -> None:
        journal = FakeJournal.with_run(TENANT, RUN)
        request = FlushRequest(projection=Projection(status=RunStatus.WAITING), fact_seq=1)
        receipt = await (await records(journal)).flush_facts(with_request(request.model_dump(mode="json")))
        assert receipt.fact_head == 1
        assert (await journal.row()).status is RunStatus.WAITING

    async def test_refuses_facts_that_contradict_or_skip(self) -> None:
        journal = FakeJournal.with_run(TENANT, RUN)
        flush = (await records(journal)).flush_facts
        request = FlushRequest(projection=Projection(), fact_seq=1).model_dump(mode="json")
        await flush(with_request(request))
        with pytest.raises(FactDiverged):
            await flush(with_request(request).model_copy(update={"facts": [fact(1).model_copy(update={"data": {"x": 1}})]}))
        with pytest.raises(FactGap):
            await flush(with_request(request).model_copy(update={"facts": [fact(3)]}))


class TestCheckDecision:
    async def test_says_yes_to_an_attested_reviewer(self) -> None:
        receipt = await (await records(FakeJournal.with_run(TENANT, RUN))).check_decision(asking())
        assert receipt.fields == {"ok": True, "roles": ["payer"], "acting_for": None}

    @pytest.mark.parametrize(
        ("role", "reviewer_roles", "change"),
        [
            (Role.APPROVER, ("payer",), {"attestation": "0" * 64}),
            (Role.APPROVER, ("payer",), {"verdict": "reject"}),
            (Role.APPROVER, ("payer",), {"principal": "prn_nobody"}),
            (Role.APPROVER, (), {}),
            (Role.APPROVER, ("other",), {}),
            (Role.VIEWER, ("payer",), {}),
            (Role.OPERATOR, ("payer",), {}),
        ],
    )
    async def test_says_no_otherwise(self, role: Role, reviewer_roles: tuple[str, ...], change: dict[str, str]) -> None:
        activities = await records(FakeJournal.with_run(TENANT, RUN), role=role, reviewer_roles=reviewer_roles)
        receipt = await activities.check_decision(asking(**change))
        assert (receipt.fields["ok"], receipt.fields["code"]) == (False, "forbidden")

    async def test_lets_an_admin_with_the_reviewer_role_decide(self) -> None:
        receipt = await (await records(FakeJournal.with_run(TENANT, RUN), role=Role.ADMIN)).check_decision(asking())
        assert receipt.fields == {"ok": True, "roles": ["payer"], "acting_for": None}


async def doubtful() -> FakeJournal:
    """Build a journal with the payment in doubt."""
    pay, _ = paying()
    attempts = Attempts(pay)
    journal = attempts.fake
    given = envelope(retry_class=RetryClass.AT_MOST_ONCE)
    await attempts.attempt(given)
    journal.effects[KEY].end(EffectState.IN_DOUBT)
    return journal


async def resolve(
    journal: FakeJournal,
    *,
    happened: bool,
    output: JsonValue = None,
    project: list[str] | None = None,
    execution: str = "temporal-1",
) -> Receipt:
    """Answer the question about the payment, in the execution that asked it."""
    request = ResolveRequest(happened=happened, output=output, completed_by="prn_reviewer").model_dump(mode="json")
    activities, made = await records(journal), ActivityEnvironment()
    made.info = dataclasses.replace(made.info, workflow_run_id=execution)

    async def run() -> Receipt:
        return await activities.resolve_effect(with_request(request, project=project))

    return await made.run(run)


class TestResolve:
    async def test_takes_the_outcome_that_a_person_tells(self) -> None:
        journal = await doubtful()
        receipt = await resolve(journal, happened=True, output={"id": "p1"}, project=["id"])
        assert (receipt.fields, receipt.replayed) == ({"id": "p1"}, True)
        assert receipt.ref is not None
        assert journal.effects[KEY].state is EffectState.DONE

    async def test_opens_the_effect_again_when_it_did_not_happen(self) -> None:
        journal = await doubtful()
        receipt = await resolve(journal, happened=False)
        assert receipt.ref is None
        assert journal.effects[KEY].state is EffectState.FAILED

    async def test_tells_the_late_outcome_that_came_first(self) -> None:
        journal = await doubtful()
        carrier = journal.effects[KEY].intent.carrier
        late = Outcome(
            carrier=carrier.model_copy(update={"facts": ()}),
            key=KEY,
            lease_token="token-1",
            state=EffectState.DONE,
            kind="agent:tool:called",
            at="2026-03-01T12:00:00.000000Z",
            attempt=1,
            output={"id": "truth"},
        )
        await journal.outcome(late)
        assert (await resolve(journal, happened=False)).fields == {"": {"id": "truth"}}

    async def test_is_not_taken_from_an_execution_that_the_run_does_not_follow(self) -> None:
        journal = await doubtful()
        with pytest.raises(RunUnlinked):
            await resolve(journal, happened=True, execution="temporal-2")
        assert journal.effects[KEY].state is EffectState.IN_DOUBT

    async def test_refuses_an_outcome_too_large_for_what_expressions_read(self) -> None:
        with pytest.raises(ProjectionTooLarge):
            await resolve(await doubtful(), happened=True, output={"id": "x" * 9000})
