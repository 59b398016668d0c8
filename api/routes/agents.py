"""`/v1/agents` and `/v1/prompts`: the registry of agents, and the people who approve them."""

import asyncio
from collections.abc import Iterable
from enum import Enum
from typing import TypeVar

from fastapi import FastAPI

from api.agent_views import (
    AgentBundleBody,
    AgentList,
    AgentSummary,
    AgentView,
    MoveBody,
    PromptBody,
    PromptView,
    RegisteredAgents,
    WantedVersion,
)
from api.context import Context
from api.deps import GatewayDeps
from api.problems import Mistake, Mistaken
from api.routes.definitions import check_paths, refuse_problems
from api.tool_deps import usable_tools
from domain.agents import AgentManifest, PromptRef, RegisteredAgent, RegisteredPrompt, check_move
from domain.errors import InvalidInput, NotFound, VersionExists
from domain.prompt_text import check_template, variables_of
from domain.stores import Page
from domain.versions import highest, newest_first, parse_version

T = TypeVar("T", RegisteredAgent, RegisteredPrompt)


class AgentRoutes:
    """Agents and prompts over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps
        self._store = deps.agents.store

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["registry"]
        add = app.router.add_api_route
        add("/v1/agents", self.register_agents, methods=["POST"], tags=tags, status_code=201)
        add("/v1/agents", self.list_agents, methods=["GET"], tags=tags)
        add("/v1/agents/{name}", self.get_agent, methods=["GET"], tags=tags)
        add("/v1/agents/{name}/{version}/status", self.move_agent, methods=["POST"], tags=tags)
        add("/v1/prompts", self.register_prompt, methods=["POST"], tags=tags, status_code=201)
        add("/v1/prompts", self.list_prompts, methods=["GET"], tags=tags)
        add("/v1/prompts/{name}", self.get_prompt, methods=["GET"], tags=tags)

    async def register_agents(self, body: AgentBundleBody, context: Context) -> RegisteredAgents:
        """Check a bundle and register its agents as drafts, with the prompts they name: all of them or none.

        Raises:
            Mistaken: the bundle has mistakes, or the owner is nobody.
            VersionExists: a version stands with other content.
        """
        check_paths(body.files)
        caller = context.principal
        owner = await self._owner(caller.tenant, body.owner) if body.owner is not None else caller.id
        known = await self._store.prompts(caller.tenant)
        tools, models = await usable_tools(self._deps, caller.tenant), await self._deps.models.table_for(caller.tenant)
        # In a thread: reading a large bundle takes long, and others wait for the loop.
        manifests, problems = await asyncio.to_thread(
            self._deps.agents.reader.read_agents, body.files, tools=list(tools.specs), prompts=known, models=models
        )
        refuse_problems(problems)
        named = _prompts_of(manifests)
        await self._check_free(caller.tenant, manifests, named, known)
        for prompt, text in named.values():
            await self._store.register_prompt(caller.tenant, prompt.name, prompt.version, text, principal=caller.id)
        made = [await self._store.register(caller.tenant, said, owner=owner, principal=caller.id) for said in manifests]
        context.kept = True
        return RegisteredAgents(
            agents=tuple(AgentSummary.of(agent) for agent in made), prompts=tuple(prompt for prompt, _ in named.values())
        )

    async def _owner(self, tenant: str, owner: str) -> str:
        """Return the principal.

        Raises:
            Mistaken: there is none of that id.
        """
        try:
            return (await self._deps.keys.principal(tenant, owner)).id
        except NotFound as unknown:
            raise Mistaken(InvalidInput(unknown.detail), [Mistake(where="/owner", detail=unknown.detail)]) from unknown

    async def _check_free(
        self,
        tenant: str,
        manifests: list[AgentManifest],
        named: dict[tuple[str, str], tuple[PromptRef, str]],
        known: list[RegisteredPrompt],
    ) -> None:
        """Refuse before anything is stored: a bundle is registered whole or not at all.

        Raises:
            VersionExists: a version stands with other content.
        """
        texts = {(prompt.name, prompt.version): prompt.sha256 for prompt in known}
        for key, (prompt, _) in named.items():
            if texts.get(key, prompt.sha256) != prompt.sha256:
                raise VersionExists(f"the prompt {prompt.name} {prompt.version} is registered with another text; raise its version")
        for said in manifests:
            stored = await self._store.get(tenant, said.name, said.version)
            if stored is not None and stored.sha256 != said.sha256():
                raise VersionExists(f"the agent {said.name} {said.version} is registered with other content; raise its version")

    async def list_agents(self, where: AgentList, context: Context) -> Page[AgentSummary]:
        """List every version, by name, then newest first."""
        found = await self._store.all(context.principal.tenant)
        fitting = [agent for agent in found if where.status in (None, agent.status) and where.name in (None, agent.name)]
        return Page[AgentSummary](items=tuple(AgentSummary.of(agent) for agent in fitting))

    async def get_agent(self, name: str, where: WantedVersion, context: Context) -> AgentView:
        """Show a version with its moves: the highest one, or the highest in the range `version`.

        Raises:
            NotFound: nothing fits.
        """
        tenant = context.principal.tenant
        return await self._view(tenant, _highest(await self._store.named(tenant, [name]), f"agent {name!r}", where.version))

    async def _view(self, tenant: str, agent: RegisteredAgent) -> AgentView:
        moves = await self._store.moves(tenant, agent.name, agent.version)
        return AgentView(**AgentSummary.of(agent).model_dump(), manifest=agent.manifest, moves=tuple(moves))

    async def move_agent(self, name: str, version: str, body: MoveBody, context: Context) -> AgentView:
        """Move a version to another status: to review, to approved by somebody who neither owns nor registered it, out of use.

        Raises:
            NotFound: no such version.
            WrongStatus: its status does not lead there.
            Forbidden: the caller may not, or would approve what is theirs.
        """
        tenant = context.principal.tenant
        agent = await self._store.get(tenant, name, parse_version(version))
        if agent is None:
            raise NotFound(f"there is no agent {name} {version}")
        if agent.status is not body.status:
            check_move(agent, body.status, context.principal)
            agent = await self._store.move(tenant, agent, body.status, principal=context.principal.id, comment=body.comment)
            context.kept = True
        return await self._view(tenant, agent)

    async def register_prompt(self, body: PromptBody, context: Context) -> PromptView:
        """Register a prompt's version; the same text again changes nothing.

        Raises:
            Mistaken: the text is no template for prompts, or the version is none.
            VersionExists: the version stands with another text.
        """
        try:
            parse_version(body.version)
        except InvalidInput as wrong:
            raise Mistaken(wrong, [Mistake(where="/version", detail=wrong.detail)]) from wrong
        try:
            check_template(body.text)
        except InvalidInput as wrong:
            raise Mistaken(wrong, [Mistake(where="/text", detail=wrong.detail)]) from wrong
        caller = context.principal
        stored = await self._store.register_prompt(caller.tenant, body.name, body.version, body.text, principal=caller.id)
        context.kept = True
        return _prompt_view(stored)

    async def list_prompts(self, context: Context) -> Page[PromptRef]:
        """List every version of every prompt, by name, then newest first."""
        found = await self._store.prompts(context.principal.tenant)
        return Page[PromptRef](items=tuple(PromptRef(name=each.name, version=each.version, sha256=each.sha256) for each in found))

    async def get_prompt(self, name: str, where: WantedVersion, context: Context) -> PromptView:
        """Show a prompt's text: the highest version, or the highest in the range `version`.

        Raises:
            NotFound: nothing fits.
        """
        found = await self._store.prompts(context.principal.tenant, name)
        return _prompt_view(_highest(found, f"prompt {name!r}", where.version))


def _highest(found: Iterable[T], what: str, wanted: str | None) -> T:
    """Return the highest version in a range.

    Raises:
        NotFound: none lies in it; the message says what there is.
    """
    versions = {each.version: each for each in found}
    best = highest(versions, wanted)
    if best is None:
        there = f"there are {', '.join(newest_first(versions))}" if versions else "there is none of that name"
        raise NotFound(f"no version of the {what} fits {wanted or 'the request'}: {there}")
    return versions[best]


def _prompts_of(manifests: Iterable[AgentManifest]) -> dict[tuple[str, str], tuple[PromptRef, str]]:
    """Return the named prompts of agents, with their texts."""
    said = [manifest.instructions for manifest in manifests]
    return {(one.prompt.name, one.prompt.version): (one.prompt, one.text) for one in said if one.prompt is not None}


def _prompt_view(prompt: RegisteredPrompt) -> PromptView:
    return PromptView(**prompt.model_dump(), variables=tuple(variables_of(prompt.text)))
