"""Fakes of the tool registry and its audit, over one clock; they pass the suites of their ports."""

from dataclasses import dataclass, field
from typing import TypeVar

from domain.errors import NotFound, VersionExists
from domain.stores import Page
from domain.tool_access import AccessPicture, ToolGrant, ToolUse, refusal
from domain.tool_anomalies import Anomaly
from domain.tool_audit import AuditedCall, CallQuery
from domain.tool_registry import ToolChange, ToolDraft, ToolRow, ToolState

T = TypeVar("T")
AT = "2026-01-02T03:04:05.000000Z"


@dataclass
class FakeToolStore:
    """Implements `ToolStore`."""

    stored: dict[tuple[str, str, str], ToolRow] = field(default_factory=dict[tuple[str, str, str], ToolRow])
    said: dict[tuple[str, str, str], list[ToolChange]] = field(default_factory=dict[tuple[str, str, str], list[ToolChange]])
    granted: dict[tuple[str, str], ToolGrant] = field(default_factory=dict[tuple[str, str], ToolGrant])

    async def rows(self, tenant: str) -> list[ToolRow]:
        """Return every stored row."""
        return [self.stored[key] for key in sorted(self.stored) if key[0] == tenant]

    async def register(self, tenant: str, drafts: list[ToolDraft], *, principal: str) -> None:
        """Store declarations. Raises: VersionExists."""
        fresh: dict[tuple[str, str, str], ToolRow] = {}
        for draft in drafts:
            key = (tenant, draft.spec.name, draft.spec.version)
            row = self.stored.get(key)
            if row is not None and row.sha256 not in (None, draft.sha256):
                raise VersionExists(f"the tool {draft.spec.name} {draft.spec.version} is registered with other content")
            if row is None or row.sha256 is None:
                state = ToolState.ACTIVE if row is None else row.state
                told = {"declaration": draft.declaration, "sha256": draft.sha256, "registered_by": principal, "registered_at": AT}
                fresh[key] = ToolRow.model_validate({"name": key[1], "version": key[2], "state": state, **told})
        self.stored |= fresh

    async def change(self, tenant: str, name: str, version: str, change: ToolChange) -> bool:
        """Say something of a version."""
        key = (tenant, name, version)
        row = self.stored.get(key)
        if change.state is (ToolState.ACTIVE if row is None else row.state):
            return False
        row = row or ToolRow(name=name, version=version, state=change.state)
        self.stored[key] = row.model_copy(update={"state": change.state})
        self.said.setdefault(key, []).insert(0, change.model_copy(update={"at": AT}))
        return True

    async def changes(self, tenant: str, name: str, version: str) -> list[ToolChange]:
        """Return what was said, latest first."""
        return list(self.said.get((tenant, name, version), []))

    async def grants(self, tenant: str) -> list[ToolGrant]:
        """Return all grants."""
        return [grant for (owner, _), grant in self.granted.items() if owner == tenant]

    async def grant(self, tenant: str, grant: ToolGrant) -> ToolGrant:
        """Store a grant."""
        return self.granted.setdefault((tenant, grant.grant), grant.model_copy(update={"granted_at": AT}))

    async def revoke(self, tenant: str, grant: str, *, principal: str) -> ToolGrant:
        """Take a grant back. Raises: NotFound."""
        known = self.granted.get((tenant, grant))
        if known is None:
            raise NotFound(f"there is no grant {grant}")
        if known.stands:
            self.granted[tenant, grant] = known.model_copy(update={"revoked_by": principal, "revoked_at": AT})
        return self.granted[tenant, grant]


@dataclass
class FakeToolGate:
    """Implements `ToolGate` over a store; `roles` are those of each principal."""

    store: FakeToolStore
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    async def admit(self, use: ToolUse) -> tuple[str, ...]:
        """Return the principal's roles. Raises: ToolDenied, ToolQuarantined."""
        held = [row for row in await self.store.rows(use.tenant) if row.state is ToolState.QUARANTINED]
        reasons = {f"{row.name}@{row.version}": self.store.said[use.tenant, row.name, row.version][0].reason for row in held}
        picture = AccessPicture(grants=tuple(await self.store.grants(use.tenant)), quarantined=reasons)
        roles = self.roles.get(use.principal, ())
        if (refused := refusal(picture, use, roles)) is not None:
            raise refused
        return roles


@dataclass
class FakeCallAudit:
    """Implements `CallAudit` and `AnomalyReader` over lists that tests fill, by tenant."""

    calls: dict[str, list[AuditedCall]] = field(default_factory=dict[str, list[AuditedCall]])
    found: dict[str, list[Anomaly]] = field(default_factory=dict[str, list[Anomaly]])

    async def page(self, tenant: str, query: CallQuery, *, limit: int, cursor: str | None) -> Page[AuditedCall]:
        """Return calls that fit, latest first; the cursor is a place."""
        asked = query.model_dump(exclude={"since", "until"}, exclude_none=True)
        fitting = [call for call in self.calls.get(tenant, []) if all(getattr(call, name) == value for name, value in asked.items())]
        return _page(fitting, limit, cursor)

    async def anomalies(self, tenant: str, *, tool: str | None, limit: int, cursor: str | None) -> Page[Anomaly]:
        """Return anomalies, latest found first."""
        return _page([one for one in self.found.get(tenant, []) if tool in (None, one.tool)], limit, cursor)


def _page(items: list[T], limit: int, cursor: str | None) -> Page[T]:
    begin = int(cursor or 0)
    following = str(begin + limit) if len(items) > begin + limit else None
    return Page(items=tuple(items[begin : begin + limit]), next_cursor=following)
