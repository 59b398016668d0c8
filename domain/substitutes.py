"""Substitutes: who decides in a reviewer's place, from when to when, and what that lets them decide. Pure.

A substitute never gets more than the reviewer has at that moment, and nobody substitutes for a substitute. Requesters gain nothing by it:
they cannot decide their own request in another's place, and nobody can decide it in theirs.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, Self

from pydantic import Field, model_validator

from domain.model import Value
from domain.principals import Principal, Role
from domain.stores import Page

DECIDING = frozenset({Role.APPROVER, Role.ADMIN})
"""Platform roles with which a reviewer may decide, and without which nobody can decide in their place."""

LENGTH_MAX = timedelta(days=366)
"""Longest substitution: authority that is lent for ever is a role and belongs to the principal."""


class Substitution(Value):
    """`substitute` decides for `reviewer` from `since` until `until` (RFC 3339 UTC); `roles` narrows it, none named means all."""

    substitution: str
    reviewer: str
    substitute: str
    roles: tuple[str, ...] = ()
    since: str = Field(serialization_alias="from")
    until: str = Field(serialization_alias="to")
    set_by: str
    created_at: str
    ended_by: str | None = None
    ended_at: str | None = None

    @model_validator(mode="after")
    def _lends(self) -> Self:
        length = datetime.fromisoformat(self.until) - datetime.fromisoformat(self.since)
        if not timedelta() < length <= LENGTH_MAX:
            raise ValueError(f"a substitution ends after it begins, and within {LENGTH_MAX.days} days")
        if self.reviewer == self.substitute:
            raise ValueError("a substitute is somebody else than the reviewer")
        return self


class Represented(Value):
    """A reviewer as they are now, and which of their roles are lent; none named means all."""

    reviewer: Principal
    roles: tuple[str, ...] = ()

    @property
    def lent(self) -> tuple[str, ...]:
        """The roles that the reviewer has now and lends."""
        if self.reviewer.role not in DECIDING:
            return ()
        return tuple(role for role in self.reviewer.reviewer_roles if not self.roles or role in self.roles)


class Authority(NamedTuple):
    """With which of the roles asked a principal decides, and in whose place; no role means that they may not."""

    roles: tuple[str, ...]
    acting_for: str | None = None


class SubstituteStore(Protocol):
    """Substitutions."""

    async def add(self, tenant: str, substitution: Substitution) -> Substitution:
        """Store a substitution; the same id again returns the stored one. Raises: NotFound when one of the two is no principal."""
        ...

    async def get(self, tenant: str, substitution: str) -> Substitution:
        """Raises: NotFound."""
        ...

    async def end(self, tenant: str, substitution: str, *, principal: str) -> Substitution:
        """End a substitution now; one that is ended stays as it is. Raises: NotFound."""
        ...

    async def page(self, tenant: str, *, principal: str | None, standing: bool, limit: int, cursor: str | None) -> Page[Substitution]:
        """Return one page, latest start first: of one principal on either side, `standing` only those that are not over."""
        ...

    async def represented(self, tenant: str, substitute: str) -> list[Represented]:
        """Return whom a principal may decide for at this moment, earliest substitution first."""
        ...


def authority(
    principal: Principal, represented: Iterable[Represented], asked: Iterable[str], *, requester: str, exclude_requester: bool
) -> Authority:
    """Return with which of the asked roles a principal may decide: their own, or else those of the first reviewer who lends them one."""
    wanted = tuple(asked)
    if principal.role not in DECIDING or (exclude_requester and principal.id == requester):
        return Authority(())
    own = tuple(role for role in wanted if role in principal.reviewer_roles)
    if own:
        return Authority(own)
    for each in represented:
        if exclude_requester and each.reviewer.id == requester:
            continue
        lent = tuple(role for role in wanted if role in each.lent)
        if lent:
            return Authority(lent, acting_for=each.reviewer.id)
    return Authority(())


def reviewer_roles_now(principal: Principal, represented: Iterable[Represented]) -> tuple[str, ...]:
    """Return every reviewer role with which a principal may decide something at this moment, their own first."""
    lent = [role for each in represented for role in each.lent]
    return tuple(dict.fromkeys([*principal.reviewer_roles, *lent]))
