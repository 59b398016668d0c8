"""`/v1/tools`, `/v1/tool-grants`, `/v1/tool-calls` and `/v1/tool-anomalies`: which tools there are, who may call them, who did."""

import asyncio
from datetime import datetime
from enum import Enum

from fastapi import FastAPI
from pydantic import JsonValue

from api.context import Context, RequestContext
from api.deps import GatewayDeps, instant
from api.problems import Mistake, Mistaken
from api.tool_deps import check_sandboxes, tools_of
from api.tool_views import (
    AnomaliesWanted,
    CallsWanted,
    GrantBody,
    GrantIdInPath,
    OpenApiBody,
    OpenApiImported,
    ReasonBody,
    SkippedView,
    ToolBody,
    ToolList,
    ToolName,
    ToolsRegistered,
    ToolsWanted,
    ToolVersion,
    ToolView,
    ToolWanted,
    tool_view,
)
from domain.definition_keywords import near
from domain.errors import InvalidDefinition, NotFound
from domain.openapi_import import ImportOptions, import_openapi
from domain.stores import Page
from domain.tool_access import ToolGrant
from domain.tool_anomalies import Anomaly
from domain.tool_audit import AuditedCall, CallQuery
from domain.tool_registry import RegisteredTool, ToolChange, ToolDraft, ToolState, draft_of
from domain.versions import highest


class ToolRoutes:
    """The registry of tools over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._store = deps.tools.store

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["tools"]
        add = app.router.add_api_route
        add("/v1/tools", self.list_tools, methods=["GET"], tags=tags)
        add("/v1/tools", self.register_tools, methods=["POST"], tags=tags, status_code=201)
        add("/v1/tools/openapi", self.import_operations, methods=["POST"], tags=tags, status_code=201)
        add("/v1/tools/{name}", self.get_tool, methods=["GET"], tags=tags)
        add("/v1/tools/{name}/{version}/quarantine", self.quarantine_tool, methods=["POST"], tags=tags)
        add("/v1/tools/{name}/{version}/release", self.release_tool, methods=["POST"], tags=tags)
        add("/v1/tools/{name}/{version}/retire", self.retire_tool, methods=["POST"], tags=tags)
        add("/v1/tool-grants", self.list_grants, methods=["GET"], tags=tags)
        add("/v1/tool-grants", self.grant_tools, methods=["POST"], tags=tags, status_code=201)
        add("/v1/tool-grants/{grant_id}/revoke", self.revoke_grant, methods=["POST"], tags=tags)
        add("/v1/tool-calls", self.list_calls, methods=["GET"], tags=tags)
        add("/v1/tool-anomalies", self.list_anomalies, methods=["GET"], tags=tags)

    async def list_tools(self, where: ToolsWanted, context: Context) -> ToolList:
        """List the tools a definition may name: those of the workers, and those registered here."""
        found = await tools_of(self._deps, context.principal.tenant)
        return ToolList(items=tuple(tool_view(tool) for tool in found if where.all or tool.state is not ToolState.RETIRED))

    async def get_tool(self, name: ToolName, where: ToolWanted, context: Context) -> ToolView:
        """Show a version of a tool: the highest, or the highest in the range `version`, with what was said of it.

        Raises:
            NotFound: there is none.
        """
        tenant = context.principal.tenant
        named = {tool.spec.version: tool for tool in await tools_of(self._deps, tenant) if tool.spec.name == name}
        best = highest(named, where.version)
        if best is None:
            raise NotFound(f"there is no tool {name}" + (f" in {where.version}" if named else ""))
        return await self._shown(tenant, named[best])

    async def register_tools(self, body: ToolBody, context: Context) -> ToolsRegistered:
        """Register tools by their declarations, all or none. A registered version never changes; the same content again is no mistake.

        Raises:
            Mistaken: a declaration is wrong.
            VersionExists: a version stands with other content, or is one that workers bring along.
        """
        drafts: list[ToolDraft] = []
        mistakes: list[Mistake] = []
        given: list[tuple[str, JsonValue]] = [(f"/tools/{place}", declaration) for place, declaration in enumerate(body.tools)]
        for where, declaration in [*given, *((f"/files/{path}", text) for path, text in body.files.items())]:
            try:
                drafts.append(draft_of(self._deps.tools.read_document(declaration) if isinstance(declaration, str) else declaration))
            except InvalidDefinition as error:
                mistakes.append(Mistake(where=f"{where}{error.where or ''}", detail=error.detail))
        if not drafts and not mistakes:
            mistakes.append(Mistake(where="/tools", detail="there is nothing to register"))
        if mistakes:
            lines = "\n".join(f"{each.where.removeprefix('/files/')}: {each.detail}" for each in mistakes)
            raise Mistaken(InvalidDefinition(lines, where=mistakes[0].where), mistakes)
        return ToolsRegistered(tools=await self._register(drafts, context))

    async def import_operations(self, body: OpenApiBody, context: Context) -> OpenApiImported:
        """Make an http tool of each operation of an OpenAPI 3 document, and register them.

        GET and HEAD read. Everything else writes and is never repeated on its own, unless the operation declares an Idempotency-Key.

        Raises:
            InvalidDefinition: the document cannot be read, or no tool can be made of it.
            VersionExists: a version stands with other content.
        """
        options = ImportOptions.model_validate(body.model_dump(include=set(ImportOptions.model_fields)))
        # In a thread: a document of a megabyte takes a while, and others wait for the loop.
        imported = await asyncio.to_thread(lambda: import_openapi(self._deps.tools.read_document(body.document), options))
        if body.dry_run:
            made = tuple(tool_view(_unregistered(draft), whole=True) for draft in imported.tools)
        else:
            made = await self._register(list(imported.tools), context)
        return OpenApiImported(tools=made, skipped=tuple(SkippedView.model_validate(one.model_dump()) for one in imported.skipped))

    async def _register(self, drafts: list[ToolDraft], context: RequestContext) -> tuple[ToolView, ...]:
        tenant = context.principal.tenant
        installed = {(spec.name, spec.version) for spec in self._deps.tool_specs()}
        for draft in drafts:
            if (draft.spec.name, draft.spec.version) in installed:
                raise InvalidDefinition(
                    f"the workers bring the tool {draft.spec.name} {draft.spec.version} along: give this one another name or version",
                    where="/name",
                )
        await check_sandboxes(self._deps, ((draft.spec, draft.declaration) for draft in drafts))
        await self._store.register(tenant, drafts, principal=context.principal.id)
        context.kept = True
        wanted = {(draft.spec.name, draft.spec.version) for draft in drafts}
        found = [tool for tool in await tools_of(self._deps, tenant) if (tool.spec.name, tool.spec.version) in wanted]
        return tuple(tool_view(tool) for tool in found)

    async def quarantine_tool(self, name: ToolName, version: ToolVersion, body: ReasonBody, context: Context) -> ToolView:
        """Hold a version back: nobody calls it until a person releases it. Calls under way end; the next ones are refused."""
        return await self._say(name, version, ToolState.QUARANTINED, body.reason, context)

    async def release_tool(self, name: ToolName, version: ToolVersion, body: ReasonBody, context: Context) -> ToolView:
        """Let a quarantined or retired version be called again. The watch over calls then learns anew what is usual for it."""
        return await self._say(name, version, ToolState.ACTIVE, body.reason, context)

    async def retire_tool(self, name: ToolName, version: ToolVersion, body: ReasonBody, context: Context) -> ToolView:
        """Take a version out of use: no new definition or run names it, and runs that have it go on."""
        return await self._say(name, version, ToolState.RETIRED, body.reason, context)

    async def _say(self, name: str, version: str, state: ToolState, reason: str, context: RequestContext) -> ToolView:
        tenant = context.principal.tenant
        await self._known(tenant, name, version)
        change = ToolChange(state=state, reason=reason, by=context.principal.id, at=instant(self._deps.now()))
        await self._store.change(tenant, name, version, change)
        context.kept = True
        return await self._shown(tenant, await self._known(tenant, name, version))

    async def _known(self, tenant: str, name: str, version: str) -> RegisteredTool:
        found = await tools_of(self._deps, tenant)
        for tool in found:
            if (tool.spec.name, tool.spec.version) == (name, version):
                return tool
        meant = near(name, {tool.spec.name for tool in found})
        raise NotFound(f"there is no tool {name} {version}" + (f"; there is {meant}" if meant else ""))

    async def _shown(self, tenant: str, tool: RegisteredTool) -> ToolView:
        changes = tuple(await self._store.changes(tenant, tool.spec.name, tool.spec.version))
        return tool_view(tool.model_copy(update={"changes": changes}), whole=True)

    async def list_grants(self, context: Context) -> Page[ToolGrant]:
        """List all grants, oldest first, with those taken back: their tools stay closed."""
        return Page[ToolGrant](items=tuple(await self._store.grants(context.principal.tenant)))

    async def grant_tools(self, body: GrantBody, context: Context) -> ToolGrant:
        """Let agents, in runs of principals with certain roles, call tools; whoever no grant lets through may not call them any more."""
        granted = await self._store.grant(
            context.principal.tenant,
            ToolGrant(
                grant=self._deps.new_id("tgr"),
                tools=tuple(body.tools),
                agents=tuple(body.agents),
                roles=tuple(body.roles),
                reason=body.reason,
                granted_by=context.principal.id,
            ),
        )
        context.kept = True
        return granted

    async def revoke_grant(self, grant_id: GrantIdInPath, context: Context) -> ToolGrant:
        """Take a grant back, at once. Its tools stay closed to all whom no other grant lets through."""
        revoked = await self._store.revoke(context.principal.tenant, grant_id, principal=context.principal.id)
        context.kept = True
        return revoked

    async def list_calls(self, where: CallsWanted, context: Context) -> Page[AuditedCall]:
        """List calls of tools, latest first: who asked, what became of it, and the digests of arguments and result."""
        asked = where.model_dump(exclude={"limit", "cursor", "since", "until"})
        query = CallQuery(**asked, since=_text(where.since), until=_text(where.until))
        return await self._deps.tools.audit.page(context.principal.tenant, query, limit=where.limit, cursor=where.cursor)

    async def list_anomalies(self, where: AnomaliesWanted, context: Context) -> Page[Anomaly]:
        """List unusual calls, latest found first."""
        tenant = context.principal.tenant
        return await self._deps.tools.anomalies.anomalies(tenant, tool=where.tool, limit=where.limit, cursor=where.cursor)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else instant(moment)


def _unregistered(draft: ToolDraft) -> RegisteredTool:
    return RegisteredTool(spec=draft.spec, source="registered", declaration=draft.declaration, sha256=draft.sha256)
