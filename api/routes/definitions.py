"""`/v1/definitions` and `/v1/tools`: the registry."""

import asyncio
from enum import Enum
from typing import Annotated

from fastapi import FastAPI
from pydantic import Field, StringConstraints

from api.context import Context
from api.deps import GatewayDeps
from api.problems import Mistake, Mistaken
from api.queries import VersionRange
from api.tool_deps import check_sandboxes, tools_named, usable_tools
from domain.agents import NO_AGENTS, AgentChoice
from domain.errors import InvalidDefinition, NotFound, VersionExists
from domain.model import Value
from domain.registry import DefinitionDraft, Problem, RegisteredDefinition
from domain.stores import Page
from domain.tool_access import never_admitted
from domain.tool_uses import tools_asked


class BundleBody(Value):
    """A bundle: each file's path inside it, and its text."""

    files: Annotated[dict[Annotated[str, StringConstraints(min_length=1, max_length=255)], str], Field(min_length=1, max_length=200)]


class DefinitionSummary(Value):
    """A version in the registry."""

    name: str
    version: str
    sha256: str
    registered_at: str
    registered_by: str


class Registered(Value):
    """What a bundle registered; a version that was there before with the same content is listed too."""

    definitions: tuple[DefinitionSummary, ...]


class DefinitionRoutes:
    """The registry over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["registry"]
        app.router.add_api_route("/v1/definitions", self.register_bundle, methods=["POST"], tags=tags, status_code=201)
        app.router.add_api_route("/v1/definitions", self.list_definitions, methods=["GET"], tags=tags)
        app.router.add_api_route("/v1/definitions/{name}", self.get_definition, methods=["GET"], tags=tags)

    async def register_bundle(self, body: BundleBody, context: Context) -> Registered:
        """Check a bundle and register its definitions, all of them or none.

        Raises:
            Mistaken: the bundle has mistakes.
            VersionExists: a version stands with other content.
        """
        check_paths(body.files)
        # In a thread: a definition of thousands of steps takes seconds to read, and others wait for the loop.
        agents = await self._agents(context.principal.tenant, body.files)
        models = await self._deps.models.table_for(context.principal.tenant)
        tools = await usable_tools(self._deps, context.principal.tenant)
        drafts, problems = await asyncio.to_thread(
            self._deps.bundle_reader.read, body.files, tools=list(tools.specs), agents=agents, models=models
        )
        refuse_problems(problems)
        principal = context.principal
        await self._check_granted(principal.tenant, drafts)
        await check_sandboxes(self._deps, (each for draft in drafts for each in tools_named(draft, tools)))
        for draft in drafts:
            await self._check_free(principal.tenant, draft)
        registered = [await self._deps.definitions.register(principal.tenant, draft, principal=principal.id) for draft in drafts]
        context.kept = True
        return Registered(definitions=tuple(_summary(definition) for definition in registered))

    async def _agents(self, tenant: str, files: dict[str, str]) -> AgentChoice:
        """Return the agents that the bundle may name: whether one is approved is asked when a run starts."""
        if not any("uses" in text for text in files.values()):
            return NO_AGENTS
        return AgentChoice(agents=tuple(await self._deps.agents.store.all(tenant)))

    async def _check_granted(self, tenant: str, drafts: list[DefinitionDraft]) -> None:
        """Refuse a definition whose steps ask for tools that no grant lets them call.

        Raises:
            Mistaken: with each of them.
        """
        grants = tuple(await self._deps.tools.store.grants(tenant))
        told = [(draft.name, said) for draft in drafts for said in (never_admitted(grants, tools_asked(draft)) if grants else [])]
        if told:
            mistakes = [Mistake(where=name, detail=said, instead="an admin grants it: standfast tools grant") for name, said in told]
            raise Mistaken(InvalidDefinition("; ".join(said for _, said in told), where=told[0][0]), mistakes)

    async def _check_free(self, tenant: str, draft: DefinitionDraft) -> None:
        """Refuse before anything is stored: a bundle is registered whole or not at all.

        Raises:
            VersionExists: the version stands with other content.
        """
        try:
            known = await self._deps.definitions.get(tenant, draft.name, draft.version)
        except NotFound:
            return
        if known.sha256 != draft.sha256:
            raise VersionExists(f"{draft.name} {draft.version} is registered with other content; give the changed definition a new version")

    async def list_definitions(self, context: Context) -> Page[DefinitionSummary]:
        """List every version, by name, then newest first."""
        found = await self._deps.definitions.all(context.principal.tenant)
        return Page[DefinitionSummary](items=tuple(_summary(definition) for definition in found))

    async def get_definition(self, name: str, where: VersionRange, context: Context) -> RegisteredDefinition:
        """Show a definition: the highest version, or the highest in the range `version`."""
        return await self._deps.definitions.get(context.principal.tenant, name, where.version)


def _summary(definition: RegisteredDefinition) -> DefinitionSummary:
    return DefinitionSummary.model_validate(definition.model_dump(include=set(DefinitionSummary.model_fields)))


def refuse_problems(problems: list[Problem]) -> None:
    """Refuse a bundle for what its reader found, if anything.

    Raises:
        Mistaken: with each of the problems, by file, line and column.
    """
    if problems:
        mistakes = [Mistake(where=f"{p.file}:{p.line}:{p.column}", detail=p.message, instead=p.instead) for p in problems]
        raise Mistaken(InvalidDefinition("\n".join(map(str, problems)), where=mistakes[0].where), mistakes)


def check_paths(files: dict[str, str]) -> None:
    """Refuse paths that leave the bundle: its files are looked up by these names only.

    Raises:
        Mistaken: a path is absolute, climbs, or cannot be printed.
    """
    for path in files:
        parts = path.split("/")
        if "\\" in path or not path.isprintable() or any(part in ("", ".", "..") for part in parts):
            raise Mistaken(
                InvalidDefinition(f"{path!r} is no path inside a bundle"),
                [
                    Mistake(
                        where=f"/files/{path}",
                        detail="no path inside a bundle",
                        instead="a relative path with '/', such as prompts/claim-reviewer.md",
                    )
                ],
            )
