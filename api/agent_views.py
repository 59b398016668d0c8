"""JSON shapes and query parameters of agents and prompts."""

from typing import Annotated, Self

from fastapi import Query
from pydantic import Field, StringConstraints

from domain.agents import NAME_CHARS_MAX, NAME_PATTERN, AgentManifest, AgentMove, AgentStatus, PromptRef, RegisteredAgent, RegisteredPrompt
from domain.model import Value

FilePath = Annotated[str, StringConstraints(min_length=1, max_length=255)]
VersionText = Annotated[str, StringConstraints(min_length=1, max_length=100)]
NameText = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=NAME_CHARS_MAX)]


class AgentBundleBody(Value):
    """A bundle with agent files, prompts and schemas: each file's path, and its text. `owner` is a principal, the caller by default."""

    files: Annotated[dict[FilePath, str], Field(min_length=1, max_length=200)]
    owner: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None


class AgentSummary(Value):
    """A version in the registry."""

    name: str
    version: str
    description: str
    sha256: str
    owner: str
    status: AgentStatus
    model: str
    registered_at: str
    registered_by: str

    @classmethod
    def of(cls, agent: RegisteredAgent) -> Self:
        """Return the summary of a version."""
        told = agent.model_dump(include=set(cls.model_fields) & set(RegisteredAgent.model_fields))
        said = agent.manifest
        return cls(name=said.name, version=said.version, description=said.description, model=said.model, **told)


class AgentView(AgentSummary):
    """A version: everything it says, and how it came to its status."""

    manifest: AgentManifest
    moves: tuple[AgentMove, ...]


class RegisteredAgents(Value):
    """What a bundle registered, prompts that its agents name included; what was there before with the same content is listed too."""

    agents: tuple[AgentSummary, ...]
    prompts: tuple[PromptRef, ...]


class MoveBody(Value):
    """Where a version shall stand, and why."""

    status: AgentStatus
    comment: Annotated[str, StringConstraints(max_length=2000)] = ""


class PromptBody(Value):
    """A prompt's version; its text reads variables as `{{ name }}`."""

    name: NameText
    version: VersionText
    text: Annotated[str, StringConstraints(min_length=1)]


class PromptView(RegisteredPrompt):
    """A prompt's version, and the variables it reads."""

    variables: tuple[str, ...]


class AgentListQuery(Value):
    """Filters of the list of agents."""

    status: AgentStatus | None = None
    name: NameText | None = None


class VersionQuery(Value):
    """`version` is a version or an npm range; the highest that fits is shown."""

    version: VersionText | None = None


AgentList = Annotated[AgentListQuery, Query()]
WantedVersion = Annotated[VersionQuery, Query()]
