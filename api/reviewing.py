"""Signed links in the gateway: who follows one, to what, and the decision that uses it up (JOURNAL §9). HTML is `api/pages`.

Nothing here decides but `decide`, and that only with the word of the page before it: a program that opens addresses, or sends forms back
as it found them, never has that.
"""

import hashlib
from typing import Literal, NamedTuple

from pydantic import JsonValue

from api.context import RequestContext
from api.deciding import Deciding
from api.deps import GatewayDeps
from api.derived_ids import decision_id_for
from api.permissions import DECIDERS
from api.views import DecisionBody, DecisionView
from domain.attestation import attestation_of, holds
from domain.errors import ApprovalClosed, Forbidden, IdempotencyKeyReused, NotFound
from domain.people_stores import ApprovalRow, DecisionRow
from domain.principals import Principal
from domain.review_links import LinkRefusal, ReviewLink, lapsed, read_token, stale
from domain.review_summary import ReviewSummary, summary_of
from domain.substitutes import authority

Stage = Literal["review", "confirm"]


class OpenedLink(NamedTuple):
    """A link that holds: what it says, the approval as it is now, and its reviewer with live roles."""

    link: ReviewLink
    approval: ApprovalRow
    reviewer: Principal


class Reviewing:
    """Reads links, and decides through them."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._deciding = Deciding(deps)

    async def opened(self, token: str) -> OpenedLink | LinkRefusal:
        """Return what a link leads to, or why it leads nowhere.

        Raises:
            NotFound: the approval is gone, as with its erased data subject.
            Forbidden: its reviewer may not decide any more.
        """
        link = read_token(self._deps.channels.link_keys, token)
        if isinstance(link, LinkRefusal):
            return link
        over = lapsed(link, await self._deps.channels.store.generations(link.tenant), self._deps.now())
        if over is not None:
            return over
        row = await self._deps.approvals.get(link.tenant, link.approval)
        return OpenedLink(link, row, await self._reviewer(link, row))

    async def used(self, opened: OpenedLink) -> DecisionRow | None:
        """Return the decision that this link was used up in."""
        try:
            return await self._deps.approvals.decision(opened.link.tenant, self._decision_id(opened.link))
        except NotFound:
            return None

    async def summary(self, opened: OpenedLink) -> ReviewSummary:
        """Return what the page shows."""
        row, tenant = opened.approval, opened.link.tenant
        run = await self._deps.runs.get(tenant, row.run)
        return summary_of(
            row.projection,
            run=row.run,
            definition=row.definition,
            cost_usd_micros=run.cost_usd_micros,
            requester=await self._name_of(tenant, row.projection.requester),
        )

    def nonce(self, token: str, stage: Stage, *, verdict: str = "", comment: str = "") -> str:
        """Return what only the page of this link and stage can have said: the second one also names the answer that it repeats."""
        return attestation_of(self._deps.channels.form_key, _said(token, stage, verdict, comment))

    def nonce_holds(self, nonce: str, token: str, stage: Stage, *, verdict: str = "", comment: str = "") -> bool:
        """Whether a form comes from our own page."""
        return holds(self._deps.channels.form_key, _said(token, stage, verdict, comment), nonce)

    async def decide(self, context: RequestContext, opened: OpenedLink, body: DecisionBody) -> DecisionView:
        """Decide in the reviewer's name, the same way as the API does. The decision's id follows from the link's: a second use is the same.

        Raises:
            ApprovalClosed: it was decided, or this link gave another answer before. Forbidden, StaleDigest, NotFound, Unavailable.
        """
        context.caller, context.idempotency_key = opened.reviewer, _key(opened.link)
        try:
            return await self._deciding.decide(context, approval=opened.link.approval, body=body)
        except IdempotencyKeyReused as reused:
            raise ApprovalClosed("this link was used for another answer; it works once") from reused

    async def _reviewer(self, link: ReviewLink, row: ApprovalRow) -> Principal:
        """Return the reviewer as they are now.

        Raises:
            Forbidden: they are gone, or may not decide this one.
        """
        try:
            reviewer = await self._deps.keys.principal(link.tenant, link.reviewer)
        except NotFound:
            reviewer = None
        if reviewer is None or not await self._may_decide(reviewer, row):
            raise Forbidden("the reviewer this link was made for may not decide this approval any more")
        return reviewer

    async def _may_decide(self, reviewer: Principal, row: ApprovalRow) -> bool:
        """Whether the page may be shown: the same question that decides later, asked of the roles of this moment."""
        asked = row.projection
        represented = await self._deps.reviewing.substitutes.represented(reviewer.tenant, reviewer.id)
        found = authority(reviewer, represented, asked.roles, requester=asked.requester, exclude_requester=asked.exclude_requester)
        return bool(found.roles) or (reviewer.id in asked.delegates and reviewer.role in DECIDERS)

    async def _name_of(self, tenant: str, principal: str) -> str | None:
        try:
            return (await self._deps.keys.principal(tenant, principal)).name or None
        except NotFound:
            return None

    def _decision_id(self, link: ReviewLink) -> str:
        return decision_id_for(self._deps.run_id_key, link.tenant, link.approval, _key(link))


def stale_now(opened: OpenedLink) -> LinkRefusal | None:
    """Return a refusal when the approval was amended after the link was made."""
    return stale(opened.link, opened.approval.projection.digest)


def _key(link: ReviewLink) -> str:
    """Return what the decision's id is derived from; no Idempotency-Key holds a control character, so none is the same."""
    return f"\x1freview-link:{link.link}"


def _said(token: str, stage: Stage, verdict: str, comment: str) -> dict[str, JsonValue]:
    token_digest = hashlib.sha256(token.encode()).hexdigest()
    return {"kind": "review-form", "token": token_digest, "stage": stage, "verdict": verdict, "comment": comment}
