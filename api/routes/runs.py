"""`/v1/runs`: start, list, get, cancel, signal, result, trace."""

import hashlib
from enum import Enum

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.context import Context, RequestContext
from api.deciding import Deciding
from api.deps import GatewayDeps, instant
from api.derived_ids import run_id_for, start_print
from api.fitting import check_fit
from api.queries import PAGE_MAX, RunIdInPath, RunList, Wait
from api.starting import Prepared, prepare, start_accepted
from api.views import (
    CancelBody,
    CancelRequested,
    DecisionView,
    RunAccepted,
    RunOutcome,
    RunView,
    SignalledDecision,
    StartBody,
    TraceView,
    approval_view,
    run_view,
)
from api.waiting import closed_or_late
from domain.compile import merged_config
from domain.errors import IdempotencyKeyReused, NotFound, RunClosed, Unavailable
from domain.expressions import ENGINE
from domain.inbox import InboxFilter
from domain.ledger import Kind
from domain.people_stores import ApprovalRow
from domain.runs import RunStatus
from domain.stores import NewRun, Page, RunFilter, RunRow
from workflows.messages import APPROVE


class RunRoutes:
    """Runs over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._deciding = Deciding(deps)

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["runs"]
        run = "/v1/runs/{run_id}"
        app.router.add_api_route(
            "/v1/runs",
            self.start_run,
            methods=["POST"],
            tags=tags,
            status_code=202,
            response_model=RunAccepted,
            responses={200: {"model": RunOutcome, "description": "With `wait`: the run ended in time"}},
        )
        app.router.add_api_route("/v1/runs", self.list_runs, methods=["GET"], tags=tags)
        app.router.add_api_route(
            run, self.get_run, methods=["GET"], tags=tags, response_model=RunView, responses={304: {"description": "Nothing new"}}
        )
        app.router.add_api_route(f"{run}/cancel", self.cancel_run, methods=["POST"], tags=tags, status_code=202)
        app.router.add_api_route(
            f"{run}/signals/{APPROVE}",
            self.signal_run,
            methods=["POST"],
            tags=tags,
            status_code=202,
            responses={200: {"model": DecisionView, "description": "Taken before"}},
        )
        app.router.add_api_route(
            f"{run}/result",
            self.get_result,
            methods=["GET"],
            tags=tags,
            responses={202: {"model": RunOutcome, "description": "Still open"}},
        )
        app.router.add_api_route(f"{run}/trace", self.get_trace, methods=["GET"], tags=tags)

    async def start_run(self, body: StartBody, context: Context, response: Response) -> RunAccepted | Response:
        """Start a run of a registered definition.

        202 says that the run is stored and will run, even when Temporal is not reachable at this moment. With `wait` the answer
        is 200 and the outcome when the run ended in time.
        """
        row = await self._accepted(body, context)
        response.headers["Location"] = f"/v1/runs/{row.run}"
        if body.wait > 0:
            row = await closed_or_late(self._deps.runs, row.tenant, row.run, wait_s=body.wait)
            if row.status.closed:
                outcome = await self._outcome(row)
                return Response(outcome.model_dump_json(), media_type="application/json", headers={"Location": f"/v1/runs/{row.run}"})
        return RunAccepted(
            run=row.run,
            definition=row.definition,
            version=row.version,
            definition_sha256=row.definition_sha256,
            correlation_id=row.correlation_id,
            created_at=row.created_at,
        )

    async def _accepted(self, body: StartBody, context: RequestContext) -> RunRow:
        """Accept and start, or find what this key accepted before and start that if nobody did (JOURNAL §8).

        Raises:
            IdempotencyKeyReused: the key accepted another request.
        """
        tenant, key = context.principal.tenant, context.idempotency_key
        asked = body.model_dump(mode="json", include={"definition", "input", "config"} | ({"subject"} if body.subject else set()))
        print_of_start = start_print(self._deps.run_id_key, tenant, "standfast:start:v1", {**asked, "principal": context.principal.id})
        run = run_id_for(self._deps.run_id_key, tenant, key) if key else self._deps.new_id("run")
        row = await self._known(tenant, run) if key else None
        prepared: Prepared | None = None
        if row is None:
            new, prepared = await self._checked(body, context, run=run, fingerprint=print_of_start)
            row = await self._deps.runs.accept(new)
            prepared = prepared if row.version == new.version else None
        if row.fingerprint != print_of_start:
            raise IdempotencyKeyReused("this Idempotency-Key started a run with another body or for another principal; use a new key")
        await self._start(row, prepared)
        return row

    async def _known(self, tenant: str, run: str) -> RunRow | None:
        try:
            return await self._deps.runs.get(tenant, run)
        except NotFound:
            return None

    async def _checked(self, body: StartBody, context: RequestContext, *, run: str, fingerprint: str) -> tuple[NewRun, Prepared]:
        """Check everything that can be wrong before anything is stored.

        Raises:
            NotFound: no such definition.
            Mistaken: the input or the config breaks its schema.
            InvalidDefinition: as `prepare`.
        """
        name, _, version_range = body.definition.partition("@")
        tenant = context.principal.tenant
        definition = await self._deps.definitions.get(tenant, name, version_range or None)
        check_fit("/input", definition, definition.input_schema, body.input)
        check_fit("/config", definition, definition.config_schema, merged_config(definition.config_defaults, body.config))
        prepared = await prepare(self._deps, tenant, definition, run_input=body.input, config=body.config)
        new = NewRun(
            tenant=tenant,
            run=run,
            definition=definition.name,
            version=definition.version,
            definition_sha256=definition.sha256,
            principal=context.principal.id,
            correlation_id=context.correlation_id,
            fingerprint=fingerprint,
            input=body.input,
            config=body.config,
            expression_engine=ENGINE,
            subject=self._subject(tenant, body.subject or prepared.subject),
            input_labels=list(context.labels),
        )
        return new, prepared

    def _subject(self, tenant: str, name: str | None) -> str | None:
        """Return the pseudonym of a named data subject; None: the run is its own."""
        return None if name is None else self._deps.subjects.pseudonym(tenant, name)

    async def _start(self, row: RunRow, prepared: Prepared | None) -> None:
        """Start what is not started. Temporal being down is no failure of the request: the run is accepted, the sweeper starts it."""
        if row.status is not RunStatus.ACCEPTED:
            return
        try:
            await start_accepted(self._deps, row, prepared)
        except Unavailable:
            return

    async def list_runs(self, where: RunList, context: Context) -> Page[RunView]:
        """List runs, newest first. The list may lag a moment behind Temporal."""
        asked = RunFilter(status=tuple(where.status), definition=where.definition, limit=where.limit, cursor=where.cursor)
        page = await self._deps.runs.page(context.principal.tenant, asked)
        return Page[RunView](items=tuple(run_view(row) for row in page.items), next_cursor=page.next_cursor)

    async def get_run(self, run_id: RunIdInPath, request: Request, context: Context) -> Response:
        """Show one run. The ETag changes with it: If-None-Match answers 304 while nothing is new."""
        row = await self._deps.runs.get(context.principal.tenant, run_id)
        body = run_view(row, await self._deps.lineage.requests(row.tenant, run_id)).model_dump_json().encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
        if etag in known or "*" in known:
            return Response(status_code=304, headers={"ETag": etag})
        return Response(body, media_type="application/json", headers={"ETag": etag, "Cache-Control": "no-cache"})

    async def cancel_run(self, run_id: RunIdInPath, context: Context, body: CancelBody | None = None) -> CancelRequested:
        """Ask a run to stop. What it did is undone as its definition says, then it ends as cancelled.

        Raises:
            NotFound: no such run.
            RunClosed: it has ended.
            Unavailable: it is not started yet, or Temporal is down.
        """
        tenant = context.principal.tenant
        row = await self._deps.runs.get(tenant, run_id)
        if row.status.closed:
            raise RunClosed(f"run {run_id} has ended: {row.status}")
        reason = body.reason if body else ""
        await self._deps.runs.append_entry(
            tenant,
            run_id,
            kind=Kind.RUN_CANCEL_REQUESTED,
            principal=context.principal.id,
            at=instant(self._deps.now()),
            data={},
            content={"reason": reason} if reason else None,
        )
        context.kept = True
        try:
            await self._deps.temporal.cancel(tenant, run_id)
        except RunClosed as ended:
            if row.status is RunStatus.ACCEPTED:
                raise Unavailable(f"run {run_id} has not been started yet; ask again in a moment", retry_after_s=1) from ended
            raise
        return CancelRequested(run=run_id, status=row.status)

    async def signal_run(self, run_id: RunIdInPath, body: SignalledDecision, context: Context, response: Response) -> DecisionView:
        """Send a run a signal. `approve` takes a decision, as POST /v1/approvals/{approval_id}/decision does, and does not wait for it.

        Raises:
            NotFound: no such run or approval. As `Deciding.signal` for the rest.
        """
        outcome = await self._deciding.signal(context, run=run_id, approval=body.approval, body=body)
        response.status_code = 200 if outcome.state == "accepted" else 202
        return outcome

    async def get_result(self, run_id: RunIdInPath, where: Wait, context: Context, response: Response) -> RunOutcome:
        """Show how a run ended: 200 when it has, 202 while it is open. `wait` holds the answer back, up to 30 seconds."""
        row = await closed_or_late(self._deps.runs, context.principal.tenant, run_id, wait_s=where.wait)
        response.status_code = 200 if row.status.closed else 202
        return await self._outcome(row)

    async def _outcome(self, row: RunRow) -> RunOutcome:
        succeeded = row.status is RunStatus.SUCCEEDED
        return RunOutcome(
            run=row.run,
            status=row.status,
            closed=row.status.closed,
            result=await self._deps.runs.result_of(row.tenant, row.run) if succeeded else None,
            error=row.error,
            waits_for=row.waits_for,
            closed_at=row.closed_at,
        )

    async def get_trace(self, run_id: RunIdInPath, context: Context) -> TraceView:
        """Show what a run did: its effects in order of their start, and the approvals it waits for."""
        tenant = context.principal.tenant
        row = await self._deps.runs.get(tenant, run_id)
        effects = await self._deps.runs.effects_of(tenant, run_id)
        approvals = () if row.status.closed else tuple(approval_view(a) for a in await self._open_approvals(tenant, run_id))
        shown = run_view(row, await self._deps.lineage.requests(tenant, run_id))
        return TraceView(run=shown, effects=tuple(effects), approvals=approvals)

    async def _open_approvals(self, tenant: str, run: str) -> list[ApprovalRow]:
        return [*(await self._deps.approvals.page(tenant, InboxFilter(state="open", run=run, limit=PAGE_MAX))).items]
