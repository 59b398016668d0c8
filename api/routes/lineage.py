"""`/v1/runs/{run_id}/redrive`, `/fork` and `/compare`: run again what went wrong, try what would have been, and see the difference."""

from enum import Enum

from fastapi import FastAPI

from api.context import Context
from api.deps import GatewayDeps
from api.lineage_views import ForkBody, Forked, RedriveBody, Redriven
from api.queries import LEDGER_PAGE_MAX, OtherRunIdInPath, RunIdInPath
from api.redriving import Redriving
from domain.compare import Compared, Comparison, compare
from domain.ledger import StoredEntry


class LineageRoutes:
    """Redrives, forks and comparisons over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._redriving = Redriving(deps)

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["runs"]
        run = "/v1/runs/{run_id}"
        app.router.add_api_route(f"{run}/redrive", self.redrive_run, methods=["POST"], tags=tags, status_code=202)
        app.router.add_api_route(f"{run}/fork", self.fork_run, methods=["POST"], tags=tags, status_code=202)
        app.router.add_api_route(f"{run}/compare/{{other_run_id}}", self.compare_runs, methods=["GET"], tags=tags)

    async def redrive_run(self, run_id: RunIdInPath, context: Context, body: RedriveBody | None = None) -> Redriven:
        """Let a run that ended badly go on from the step that failed. What it did stays done; what was undone is done anew."""
        row, rebuilt = await self._redriving.redrive(context, run_id, body or RedriveBody())
        return Redriven(run=row.run, status=row.status, epoch=rebuilt.state.epoch, step=rebuilt.step, kept=len(rebuilt.kept))

    async def fork_run(self, run_id: RunIdInPath, body: ForkBody, context: Context) -> Forked:
        """Start a new run that goes on at a step of this one, with changes. What came before is kept, and never done again."""
        row, rebuilt = await self._redriving.fork(context, run_id, body)
        effects = "allowed" if body.allow_effects else "simulated"
        return Forked(run=row.run, parent=run_id, at=body.at, effects=effects, kept=len(rebuilt.kept), status=row.status)

    async def compare_runs(self, run_id: RunIdInPath, other_run_id: OtherRunIdInPath, context: Context) -> Comparison:
        """Show two runs side by side: outcome, tokens, cost, and step by step."""
        tenant = context.principal.tenant
        return compare(await self._compared(tenant, run_id), await self._compared(tenant, other_run_id))

    async def _compared(self, tenant: str, run: str) -> Compared:
        row = await self._deps.runs.get(tenant, run)
        return Compared(
            row=row,
            result=await self._deps.runs.result_of(tenant, run),
            effects=tuple(await self._deps.runs.effects_of(tenant, run)),
            entries=tuple(await self._entries(tenant, run)),
        )

    async def _entries(self, tenant: str, run: str) -> list[StoredEntry]:
        found: list[StoredEntry] = []
        while True:
            part = await self._deps.ledger.entries(tenant, run, after=found[-1].seq if found else 0, limit=LEDGER_PAGE_MAX)
            found += part
            if len(part) < LEDGER_PAGE_MAX:
                return found
