"""`/v1/runs/{run_id}/sagas` and `/compensate`: what a run's sagas have done, and having it undone now."""

from enum import Enum

from fastapi import FastAPI

from api.context import Context
from api.deps import GatewayDeps, instant
from api.queries import RunIdInPath
from api.redriving import Redriving
from api.views import CompensateBody, CompensateRequested, SagasView
from domain.errors import RunClosed, Unavailable
from domain.ledger import Kind
from domain.runs import RunStatus
from domain.saga_views import saga_shapes, sagas_of_past


class SagaRoutes:
    """Sagas over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._redriving = Redriving(deps)

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["runs"]
        run = "/v1/runs/{run_id}"
        app.router.add_api_route(f"{run}/sagas", self.get_sagas, methods=["GET"], tags=tags)
        app.router.add_api_route(f"{run}/compensate", self.compensate_run, methods=["POST"], tags=tags, status_code=202)

    async def get_sagas(self, run_id: RunIdInPath, context: Context) -> SagasView:
        """Show the state of each saga of a run and of each of its steps, as the journal and the ledger tell of them at this moment.

        Raises:
            NotFound: no such run.
            ReferenceMissing: what the run was given is erased.
        """
        tenant = context.principal.tenant
        row = await self._deps.runs.get(tenant, run_id)
        program = await self._redriving.program_of(row)
        past = await self._deps.lineage.past(tenant, run_id)
        return SagasView(run=run_id, status=row.status, sagas=sagas_of_past(saga_shapes(program), past, ended=row.status.closed))

    async def compensate_run(self, run_id: RunIdInPath, context: Context, body: CompensateBody | None = None) -> CompensateRequested:
        """Have a run undo what its open sagas did, now; it then ends as failed, with the code `compensated-by-hand`.

        A saga that is complete stands, and one that is past its pivot goes on to its end.

        Raises:
            NotFound: no such run.
            RunClosed: it has ended.
            Unavailable: it is not started yet, or Temporal is down.
        """
        tenant = context.principal.tenant
        row = await self._deps.runs.get(tenant, run_id)
        if row.status.closed:
            raise RunClosed(f"run {run_id} has ended: {row.status}")
        if row.status is RunStatus.ACCEPTED:
            raise Unavailable(f"run {run_id} has not been started yet; ask again in a moment", retry_after_s=1)
        reason = body.reason if body else ""
        await self._deps.runs.append_entry(
            tenant,
            run_id,
            kind=Kind.RUN_COMPENSATE_REQUESTED,
            principal=context.principal.id,
            at=instant(self._deps.now()),
            data={},
            content={"reason": reason} if reason else None,
        )
        context.kept = True
        await self._deps.temporal.compensate(tenant, run_id)
        return CompensateRequested(run=run_id, status=row.status)
