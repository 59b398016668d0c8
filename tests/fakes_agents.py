"""The fake of the agent store."""

from collections.abc import Iterable

from domain.agents import AgentManifest, AgentMove, AgentStatus, RegisteredAgent, RegisteredPrompt, text_sha256
from domain.errors import VersionExists, WrongStatus
from domain.versions import by_name, parse_version

AT = "2026-01-01T00:00:00.000000Z"


class FakeAgentStore:
    """Implements `AgentStore` in memory; a tenant's rows by (tenant, name, version)."""

    def __init__(self) -> None:
        self.agents: dict[tuple[str, str, str], RegisteredAgent] = {}
        self.noted: dict[tuple[str, str, str], list[AgentMove]] = {}
        self.texts: dict[tuple[str, str, str], RegisteredPrompt] = {}

    async def register(self, tenant: str, manifest: AgentManifest, *, owner: str, principal: str) -> RegisteredAgent:
        """Insert a version as a draft. Raises: VersionExists, InvalidInput."""
        key = (tenant, manifest.name, parse_version(manifest.version))
        new = RegisteredAgent(
            manifest=manifest,
            sha256=manifest.sha256(),
            owner=owner,
            status=AgentStatus.DRAFT,
            registered_at=AT,
            registered_by=principal,
        )
        if key not in self.agents:
            self.agents[key] = new
            self.noted[key] = [AgentMove(before=None, after=AgentStatus.DRAFT, principal=principal, at=AT)]
        if self.agents[key].sha256 != new.sha256:
            raise VersionExists(f"the agent {manifest.name} {manifest.version} is registered with other content")
        return self.agents[key]

    async def get(self, tenant: str, name: str, version: str) -> RegisteredAgent | None:
        """Return one version."""
        return self.agents.get((tenant, name, version))

    async def named(self, tenant: str, names: Iterable[str]) -> list[RegisteredAgent]:
        """Return every version of these agents."""
        wanted = set(names)
        return [agent for (owner, name, _), agent in self.agents.items() if owner == tenant and name in wanted]

    async def all(self, tenant: str) -> list[RegisteredAgent]:
        """Return every version, by name, then newest first."""
        own = {(name, version): agent for (owner, name, version), agent in self.agents.items() if owner == tenant}
        return [own[key] for key in by_name(own)]

    async def move(self, tenant: str, agent: RegisteredAgent, after: AgentStatus, *, principal: str, comment: str) -> RegisteredAgent:
        """Move a version. Raises: WrongStatus."""
        key = (tenant, agent.name, agent.version)
        if key not in self.agents or self.agents[key].status is not agent.status:
            raise WrongStatus(f"{agent.name} {agent.version} is not {agent.status} any more: read it again")
        self.noted[key].append(AgentMove(before=agent.status, after=after, principal=principal, comment=comment, at=AT))
        self.agents[key] = self.agents[key].model_copy(update={"status": after})
        return self.agents[key]

    async def moves(self, tenant: str, name: str, version: str) -> list[AgentMove]:
        """Return a version's moves."""
        return list(self.noted.get((tenant, name, version), []))

    async def register_prompt(self, tenant: str, name: str, version: str, text: str, *, principal: str) -> RegisteredPrompt:
        """Insert a prompt's version. Raises: VersionExists, InvalidInput."""
        key = (tenant, name, parse_version(version))
        new = RegisteredPrompt(name=name, version=version, sha256=text_sha256(text), text=text, registered_at=AT, registered_by=principal)
        if self.texts.setdefault(key, new).sha256 != new.sha256:
            raise VersionExists(f"the prompt {name} {version} is registered with another text")
        return self.texts[key]

    async def prompts(self, tenant: str, name: str | None = None) -> list[RegisteredPrompt]:
        """Return every version of one prompt, or of all."""
        own = {(key, version): text for (owner, key, version), text in self.texts.items() if owner == tenant and name in (None, key)}
        return [own[key] for key in by_name(own)]
