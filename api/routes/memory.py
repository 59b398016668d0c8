"""`/v1/memory`: what agents saved, and what people let them recall."""

from enum import Enum

from fastapi import FastAPI

from api.context import Context
from api.deps import GatewayDeps
from api.memory_views import MemoryList, RecordIdInPath
from domain.memory import MemoryRecord
from domain.stores import Page


class MemoryRoutes:
    """Memory over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._memory = deps.memory

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["memory"]
        add = app.router.add_api_route
        add("/v1/memory", self.list_memory, methods=["GET"], tags=tags)
        add("/v1/memory/{record_id}", self.forget_memory, methods=["DELETE"], tags=tags, status_code=204)
        add("/v1/memory/{record_id}/quarantine", self.quarantine_memory, methods=["POST"], tags=tags)
        add("/v1/memory/{record_id}/release", self.release_memory, methods=["POST"], tags=tags)

    async def list_memory(self, where: MemoryList, context: Context) -> Page[MemoryRecord]:
        """List records by id, those in quarantine too."""
        return await self._memory.page(
            context.principal.tenant, namespace=where.namespace, quarantined=where.quarantined, limit=where.limit, cursor=where.cursor
        )

    async def quarantine_memory(self, record_id: RecordIdInPath, context: Context) -> MemoryRecord:
        """Keep a record from being recalled."""
        return await self._reviewed(record_id, context, quarantined=True)

    async def release_memory(self, record_id: RecordIdInPath, context: Context) -> MemoryRecord:
        """Let a record be recalled, after a look at it; its labels stay."""
        return await self._reviewed(record_id, context, quarantined=False)

    async def forget_memory(self, record_id: RecordIdInPath, context: Context) -> None:
        """Remove a record for good."""
        await self._memory.forget(context.principal.tenant, record_id)
        context.kept = True

    async def _reviewed(self, record: str, context: Context, *, quarantined: bool) -> MemoryRecord:
        why = "operator" if quarantined else None
        changed = await self._memory.review(context.principal.tenant, record, quarantine=why, by=context.principal.id)
        context.kept = True
        return changed
