"""Takes a decision in: check, store, attest, send (JOURNAL §9). The decision route and the signal route share it."""

from datetime import datetime

from api.context import RequestContext
from api.decisions import Delivery, decision_of, deliver_decision, settle_refusal, settled
from api.deps import GatewayDeps, instant
from api.derived_ids import decision_id_for
from api.views import DecisionBody, DecisionView
from domain.approval import attest
from domain.errors import ApprovalClosed, Forbidden, IdempotencyKeyReused, NotFound, RunClosed, StaleDigest, Unavailable
from domain.people_stores import ApprovalRow, DecisionRow

DETAIL = {
    "accepted": "the run has taken the decision",
    "stored": "the decision is stored and being delivered to the run; read the approval to see when it is taken",
}


class Deciding:
    """Decisions on approvals."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    async def decide(self, context: RequestContext, *, approval: str, body: DecisionBody) -> DecisionView:
        """Store a decision and wait for the run's answer to it.

        Raises:
            NotFound, Forbidden, StaleDigest, ApprovalClosed: refused, here or by the run. IdempotencyKeyReused.
        """
        row = await self._stored(context, approval=approval, run=None, body=body)
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

    async def _stored(self, context: RequestContext, *, approval: str, run: str | None, body: DecisionBody) -> DecisionRow:
        """Return the stored decision: the one this Idempotency-Key stored before, or a new one that passed every check made here.

        Raises:
            NotFound: no such approval, or not of this run.
            Forbidden, ApprovalClosed, StaleDigest: nothing is stored.
            IdempotencyKeyReused: the key stored another decision.
        """
        tenant, key = context.principal.tenant, context.idempotency_key
        decision_id = decision_id_for(self._deps.run_id_key, tenant, approval, key) if key else self._deps.new_id("dec")
        row = await self._known(tenant, decision_id) if key else None
        if row is None:
            open_approval = await self._deps.approvals.get(tenant, approval)
            if run is not None and open_approval.run != run:
                raise NotFound(f"run {run} has no approval {approval}")
            _check(context, open_approval, body)
            row = await self._deps.approvals.store_decision(self._new(context, open_approval, decision_id, body))
        context.kept = True
        if (row.approval, row.verdict, row.digest, row.comment, row.principal) != (
            approval,
            body.verdict,
            body.digest,
            body.comment,
            context.principal.id,
        ):
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
            stored_at=instant(self._deps.now()),
        )
        signed = attest(self._deps.attestation_key, tenant=tenant, run=approval.run, decision=decision_of(bare))
        return bare.model_copy(update={"attestation": signed})

    async def _shown(self, row: DecisionRow, delivery: Delivery) -> DecisionView:
        decided_at = instant(datetime.fromisoformat(delivery.result.decided_at)) if delivery.result else None
        if delivery.state == "accepted" and decided_at is None:
            decided_at = (await self._deps.approvals.get(row.tenant, row.approval)).decided_at
        return DecisionView(
            decision_id=row.decision_id,
            approval=row.approval,
            run=row.run,
            verdict=row.verdict,
            state=delivery.state,
            decided_by=row.principal,
            decided_at=decided_at,
            detail=DETAIL[delivery.state],
        )


def _check(context: RequestContext, row: ApprovalRow, body: DecisionBody) -> None:
    """Refuse what the inbox already knows to be refused; the run itself has the last word.

    Raises:
        Forbidden: not a reviewer, or the requester.
        ApprovalClosed: the inbox says so.
        StaleDigest: another digest.
    """
    approval, principal = row.projection, context.principal
    if approval.reviewer_role not in principal.reviewer_roles:
        raise Forbidden(f"this approval asks reviewers with the role {approval.reviewer_role}; the key's principal has not got it")
    if approval.exclude_requester and principal.id == approval.requester:
        raise Forbidden("whoever started the run may not decide its approvals")
    if row.state != "open":
        raise ApprovalClosed(f"approval {approval.approval} is closed: {row.state}")
    if body.digest != approval.digest:
        raise StaleDigest(f"the approval's digest is {approval.digest}, the decision names {body.digest}; read the approval again")
