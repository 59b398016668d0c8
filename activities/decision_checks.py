"""Whether the live world lets a person decide: the gateway's attestation, roles as they are now, delegates, substitutes, schemas.

Separate from the activity in `run_records.py`, which hands the answer to the workflow. No effect; reads only.
"""

from typing import Protocol

from pydantic import JsonValue

from activities.requests import DecisionRequest
from domain.approval import attested
from domain.approval_rules import REVIEWING
from domain.decision_rules import NOT_THEIRS, may_steer
from domain.errors import Forbidden, InvalidInput, NotFound, StandfastError
from domain.principals import Principal
from domain.schemas import validate
from domain.stores import KeyStore
from domain.substitutes import DECIDING, Authority, Represented, authority

Checked = dict[str, JsonValue] | StandfastError
"""What the workflow learns (`roles`, `acting_for`), or why it is refused."""


class Representatives(Protocol):
    """Who stands in for whom; a SubstituteStore is one."""

    async def represented(self, tenant: str, substitute: str) -> list[Represented]:
        """Return whom a principal may decide for at this moment."""
        ...


class DecisionChecks:
    """Checks decisions against the live world; without `substitutes` nobody has any."""

    def __init__(self, *, keys: KeyStore, attestation_key: bytes, substitutes: Representatives | None = None) -> None:
        self._keys = keys
        self._attestation_key = attestation_key
        self._substitutes = substitutes

    async def check(self, tenant: str, run: str, request: DecisionRequest) -> Checked:
        """Return what the workflow has to know of who decides, or the refusal."""
        decision = request.decision
        if not attested(self._attestation_key, tenant=tenant, run=run, decision=decision):
            return Forbidden("the decision carries no attestation of the gateway")
        principal = await self._principal(tenant, decision.principal)
        if principal is None:
            return Forbidden("the reviewer is not known any more")
        known = await self._reviewing(tenant, request, principal) if decision.verdict in REVIEWING else _beside(request, principal)
        if isinstance(known, StandfastError):
            return known
        return await self._delegate(tenant, request) or _unfit(request) or known

    async def _principal(self, tenant: str, who: str) -> Principal | None:
        try:
            return await self._keys.principal(tenant, who)
        except NotFound:
            return None

    async def _reviewing(self, tenant: str, request: DecisionRequest, principal: Principal) -> Checked:
        """With which roles a reviewer decides, and for whom."""
        if request.exclude_requester and principal.id == request.requester:
            return Forbidden("whoever started the run may not decide its approvals")
        lent = await self._lent(tenant, request, principal)
        asked = request.asked or [request.reviewer_role]
        found = _authority(request, principal, lent, asked)
        if not found.roles:
            return Forbidden(f"the reviewer does not have the reviewer role {' or '.join(map(repr, asked))} (any more)")
        acting = [each for each in lent if each.reviewer.id == found.acting_for]
        every = _authority(request, principal, acting, request.roles or asked)
        return {"roles": list(every.roles), "acting_for": found.acting_for}

    async def _lent(self, tenant: str, request: DecisionRequest, principal: Principal) -> list[Represented]:
        """Whose votes the principal may give: of those who delegated theirs for this approval, then of those they substitute for."""
        delegating = [await self._principal(tenant, who) for who in request.delegators]
        lent = [Represented(reviewer=who) for who in delegating if who is not None]
        if self._substitutes is not None:
            lent += await self._substitutes.represented(tenant, principal.id)
        return [each for each in lent if each.reviewer.id not in request.voted]

    async def _delegate(self, tenant: str, request: DecisionRequest) -> StandfastError | None:
        """Why a vote cannot be handed to this principal."""
        if request.decision.verdict != "delegate":
            return None
        to = await self._principal(tenant, request.decision.said.to or "")
        if to is None or to.role not in DECIDING:
            return Forbidden("a vote can be handed only to a principal who may decide approvals")
        return None


def _authority(request: DecisionRequest, principal: Principal, lent: list[Represented], asked: list[str]) -> Authority:
    return authority(principal, lent, asked, requester=request.requester, exclude_requester=request.exclude_requester)


def _beside(request: DecisionRequest, principal: Principal) -> Checked:
    """Whether somebody beside the reviewers may say this."""
    if may_steer(principal, request.decision.verdict, requester=request.requester, lead_roles=request.lead_roles):
        return {}
    return Forbidden(NOT_THEIRS[request.decision.verdict == "extend"])


def _unfit(request: DecisionRequest) -> StandfastError | None:
    """Why a value does not fit its schema."""
    for check in request.fitting:
        problems = validate(check.schema_of_it, check.value)
        if problems:
            return InvalidInput(f"{check.what} breaks its schema: {'; '.join(problems)}")
    return None
