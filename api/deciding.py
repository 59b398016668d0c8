"""Takes a decision in: check, store, attest, send (JOURNAL §9). The decision route and the signal route share it."""

import asyncio
from datetime import datetime

from api.asked import check_asked
from api.context import RequestContext
from api.decisions import Delivery, decision_of, deliver_decision, settle_refusal, settled
from api.deps import GatewayDeps, instant
from api.derived_ids import decision_id_for
from api.views import BatchAnswer, BatchAnswers, BatchedDecision, DecisionBatch, DecisionBody, DecisionView
from domain.approval import attest
from domain.errors import IdempotencyKeyReused, NotFound, RunClosed, StandfastError, Unavailable
from domain.people_stores import ApprovalRow, DecisionRow

DETAIL = {
    "accepted": "the run has taken the decision",
    "stored": "the decision is stored and being delivered to the run; read the approval to see when it is taken",
}

BATCH_AT_ONCE = 8
"""Decisions of a batch that are under way at once; each waits for its run."""


class Deciding:
    """Decisions on approvals."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    async def decide(self, context: RequestContext, *, approval: str, body: DecisionBody, place: int | None = None) -> DecisionView:
        """Store a decision and wait for the run's answer to it; `place` is where it stands in a batch.

        Raises:
            NotFound, Forbidden, StaleDigest, ApprovalClosed: refused, here or by the run. IdempotencyKeyReused.
        """
        row = await self._stored(context, approval=approval, run=None, body=body, place=place)
        delivery = await deliver_decision(self._deps, row, timeout_s=self._deps.decision_timeout_s)
        if delivery.refusal is not None:
            raise delivery.refusal
        return await self._shown(row, delivery)

    async def signal(self, context: RequestContext, *, run: str, approval: str, body: DecisionBody) -> DecisionView:
        """Store a decision and send it as a signal, which nobody answers; the sweeper settles it.

        Raises:
            as `decide`; RunClosed becomes ApprovalClosed. Unavailable does not leave: the decision is stored.
        """
        row = await self._stored(context, approval=approval, run=run, body=body)
        delivery = settled(row)
        if row.state == "stored":
            try:
                await self._deps.temporal.approve(row.tenant, row.run, decision_of(row))
            except RunClosed as ended:
                delivery = await settle_refusal(self._deps, row, ended)
            except Unavailable:
                pass
        if delivery.refusal is not None:
            raise delivery.refusal
        return await self._shown(row, delivery)

    async def batch(self, context: RequestContext, batch: DecisionBatch) -> BatchAnswers:
        """Decide many approvals, each answered by itself: one that is refused keeps no other waiting."""
        places = asyncio.Semaphore(BATCH_AT_ONCE)

        async def one(place: int, body: BatchedDecision) -> BatchAnswer:
            async with places:
                try:
                    shown = await self.decide(context, approval=body.approval, body=body, place=place)
                except StandfastError as error:
                    return BatchAnswer(approval=body.approval, status=error.status, code=error.code, detail=error.detail)
                return BatchAnswer(approval=body.approval, status=200 if shown.state == "accepted" else 202, decision=shown)

        answers = await asyncio.gather(*(one(place, body) for place, body in enumerate(batch.decisions)))
        return BatchAnswers(answers=tuple(answers))

    async def _stored(
        self, context: RequestContext, *, approval: str, run: str | None, body: DecisionBody, place: int | None = None
    ) -> DecisionRow:
        """Return the stored decision: the one this Idempotency-Key stored before, or a new one that passed every check made here.

        Raises:
            NotFound: no such approval, or not of this run.
            Forbidden, ApprovalClosed, StaleDigest: nothing is stored.
            IdempotencyKeyReused: the key stored another decision.
        """
        tenant, key = context.principal.tenant, context.idempotency_key
        if key and place is not None:
            key = f"{key}\x1f{place}"
        decision_id = decision_id_for(self._deps.run_id_key, tenant, approval, key) if key else self._deps.new_id("dec")
        row = await self._known(tenant, decision_id) if key else None
        if row is None:
            open_approval = await self._deps.approvals.get(tenant, approval)
            if run is not None and open_approval.run != run:
                raise NotFound(f"run {run} has no approval {approval}")
            await check_asked(self._deps, context.principal, open_approval, body)
            row = await self._deps.approvals.store_decision(self._new(context, open_approval, decision_id, body))
        context.kept = True
        said = (approval, body.verdict, body.digest, body.comment, body.content(), context.principal.id)
        if (row.approval, row.verdict, row.digest, row.comment, row.content, row.principal) != said:
            raise IdempotencyKeyReused("this Idempotency-Key carried another decision or another principal's; use a new key")
        return row

    async def _known(self, tenant: str, decision_id: str) -> DecisionRow | None:
        try:
            return await self._deps.approvals.decision(tenant, decision_id)
        except NotFound:
            return None

    def _new(self, context: RequestContext, approval: ApprovalRow, decision_id: str, body: DecisionBody) -> DecisionRow:
        """Return the decision with the gateway's word for its principal."""
        tenant = context.principal.tenant
        bare = DecisionRow(
            tenant=tenant,
            run=approval.run,
            decision_id=decision_id,
            approval=approval.projection.approval,
            verdict=body.verdict,
            digest=body.digest,
            comment=body.comment,
            principal=context.principal.id,
            attestation="",
            content=body.content(),
            stored_at=instant(self._deps.now()),
        )
        signed = attest(self._deps.attestation_key, tenant=tenant, run=approval.run, decision=decision_of(bare))
        return bare.model_copy(update={"attestation": signed})

    async def _shown(self, row: DecisionRow, delivery: Delivery) -> DecisionView:
        decided_at = instant(datetime.fromisoformat(delivery.result.decided_at)) if delivery.result else None
        ending = delivery.result.ending if delivery.result else None
        if delivery.state == "accepted" and decided_at is None:
            decided_at, ending = _as_shown(await self._deps.approvals.get(row.tenant, row.approval), row.decision_id)
        return DecisionView(
            decision_id=row.decision_id,
            approval=row.approval,
            run=row.run,
            verdict=row.verdict,
            state=delivery.state,
            decided_by=row.principal,
            decided_at=decided_at,
            detail=DETAIL[delivery.state],
            ending=ending,
        )


def _as_shown(approval: ApprovalRow, decision_id: str) -> tuple[str | None, str | None]:
    """Return when the inbox says that a decision was taken, and how the approval ended by it."""
    if approval.decision_id == decision_id:
        return approval.decided_at, {"approved": "approve", "rejected": "reject"}.get(approval.state, approval.state)
    event = next((event for event in approval.projection.events if event.decision_id == decision_id), None)
    return (None if event is None else instant(datetime.fromisoformat(event.at))), None
