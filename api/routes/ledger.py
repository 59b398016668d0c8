"""`/v1/runs/{run_id}/ledger`: the stored bytes, and the server's own verdict over them."""

from base64 import b64encode
from enum import Enum

from fastapi import FastAPI

from api.context import Context
from api.deps import GatewayDeps
from api.queries import LEDGER_PAGE_MAX, LedgerPart, RunIdInPath
from api.views import BrokenView, EntryView, HeadView, LedgerView, VerificationView
from domain.ledger import StoredEntry, verify_entries


class LedgerRoutes:
    """Ledgers over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["ledger"]
        app.router.add_api_route("/v1/runs/{run_id}/ledger", self.get_ledger, methods=["GET"], tags=tags)
        app.router.add_api_route("/v1/runs/{run_id}/ledger/verify", self.verify_ledger, methods=["GET"], tags=tags)

    async def get_ledger(self, run_id: RunIdInPath, where: LedgerPart, context: Context) -> LedgerView:
        """Show a run's entries as stored bytes, so that anybody can recompute the chain."""
        tenant = context.principal.tenant
        # The head first: entries that are appended meanwhile lie behind it and never look like a missing tail.
        seq, head = await self._deps.ledger.head(tenant, run_id)
        entries = await self._deps.ledger.entries(tenant, run_id, after=where.after, limit=where.limit)
        last = entries[-1].seq if entries else where.after
        return LedgerView(
            run=run_id,
            head=HeadView(seq=seq, hash=head.hex()),
            entries=tuple(_shown(entry) for entry in entries),
            next_after=last if len(entries) == where.limit and last < seq else None,
        )

    async def verify_ledger(self, run_id: RunIdInPath, context: Context) -> VerificationView:
        """Recompute a run's chain over the stored bytes and compare its columns with them; names the first wrong entry."""
        tenant = context.principal.tenant
        head = await self._deps.ledger.head(tenant, run_id)
        entries: list[StoredEntry] = []
        while True:
            part = await self._deps.ledger.entries(tenant, run_id, after=len(entries) and entries[-1].seq, limit=LEDGER_PAGE_MAX)
            entries += [entry for entry in part if entry.seq <= head[0]]
            if len(part) < LEDGER_PAGE_MAX or len(entries) >= head[0]:
                break
        verdict = verify_entries(entries, head=head)
        broken = BrokenView(seq=verdict.broken.seq, reason=verdict.broken.reason) if verdict.broken else None
        return VerificationView(run=run_id, ok=verdict.ok, entries=verdict.entries, head=verdict.head, broken=broken)


def _shown(entry: StoredEntry) -> EntryView:
    raw = {name: b64encode(getattr(entry, name)).decode() for name in ("prev", "hash", "body")}
    return EntryView.model_validate({**entry.model_dump(exclude=set(raw)), **raw})
