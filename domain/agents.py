"""Registered agents and prompts: what a version says, who may move it between statuses, and which status may do what. Pure.

A version never changes: its SHA-256 is over the canonical bytes of everything it says, instructions included. Status, owner and moves stand
beside it. Whoever owns or registered a version does not approve it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, Protocol

from pydantic import Field, JsonValue

from domain.budget import BudgetRule
from domain.canonical import digest_hex
from domain.definition_keywords import NAME, NAME_CHARS_MAX
from domain.errors import Forbidden, NotFound, WrongStatus
from domain.fallbacks import FALLBACKS_MAX, Fallback
from domain.model import Value
from domain.principals import Principal, Role
from domain.versions import newest

NAME_PATTERN: Final = f"^{NAME.pattern}$"
"""Names of agents and prompts, as of definitions."""


class AgentStatus(StrEnum):
    """Where a version stands."""

    DRAFT = "draft"
    REVIEW = "review"
    APPROVED = "approved"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


MOVES: Final[Mapping[AgentStatus, frozenset[AgentStatus]]] = {
    AgentStatus.DRAFT: frozenset({AgentStatus.REVIEW, AgentStatus.RETIRED}),
    AgentStatus.REVIEW: frozenset({AgentStatus.DRAFT, AgentStatus.APPROVED, AgentStatus.RETIRED}),
    AgentStatus.APPROVED: frozenset({AgentStatus.DEPRECATED, AgentStatus.RETIRED}),
    AgentStatus.DEPRECATED: frozenset({AgentStatus.APPROVED, AgentStatus.RETIRED}),
    AgentStatus.RETIRED: frozenset(),
}
"""Which status may follow which."""

APPROVERS: Final = frozenset({Role.APPROVER, Role.ADMIN})
MOVERS: Final = frozenset({Role.DEVELOPER, Role.ADMIN})
STOPPERS: Final = frozenset({Role.DEVELOPER, Role.OPERATOR, Role.ADMIN})
"""Platform roles that may approve, that may move otherwise, and that may take a version out of use at once."""


class PromptRef(Value):
    """A version of a registered prompt."""

    name: str
    version: str
    sha256: str


class RegisteredPrompt(PromptRef):
    """A prompt's text; immutable."""

    text: str
    registered_at: str
    registered_by: str


class AgentInstructions(Value):
    """What the model is told: a template over the agent's variables, and the prompt it comes from, if it has a name."""

    text: str = Field(min_length=1)
    prompt: PromptRef | None = None


class AgentLimits(Value):
    """What one use of the agent may take."""

    max_turns: int = Field(default=8, ge=1, le=64)
    max_output_tokens: int = Field(default=4096, ge=1, le=1_000_000)
    timeout_s: float | None = Field(default=None, gt=0)
    budget: BudgetRule | None = None


class AgentManifest(Value):
    """Everything a version says. `tools` are `name` or `name@range`, as are the agents it `asks` and `hands_off_to`.

    `model` and those of `fallbacks` are `provider/name`, or aliases that are resolved when a run starts. `variables` is the JSON Schema of
    what its instructions read; None when they read nothing. What a version does not say of how its models are asked is no part of its
    bytes, so that older versions keep their digests.
    """

    name: str = Field(pattern=NAME_PATTERN, max_length=NAME_CHARS_MAX)
    version: str
    description: str = ""
    model: str
    fallbacks: tuple[Fallback, ...] = Field(default=(), max_length=FALLBACKS_MAX, exclude_if=lambda said: not said)
    max_call_usd_micros: int | None = Field(default=None, exclude_if=lambda said: said is None)
    temperature: float | None = Field(default=None, exclude_if=lambda said: said is None)
    parallel_tools: bool | None = Field(default=None, exclude_if=lambda said: said is None)
    instructions: AgentInstructions
    variables: dict[str, JsonValue] | None = None
    tools: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    hands_off_to: tuple[str, ...] = ()
    limits: AgentLimits = AgentLimits()
    output_schema: dict[str, JsonValue] | None = None

    def sha256(self) -> str:
        """Return what the version is known by."""
        return digest_hex("standfast:agent:v1", self.model_dump(mode="json"))

    @property
    def tool_names(self) -> list[str]:
        """The names of its tools, without ranges."""
        return [reference.partition("@")[0] for reference in self.tools]


class AgentMove(Value):
    """One change of a version's status; `before` is None for its registration. Times are RFC 3339 UTC."""

    before: AgentStatus | None
    after: AgentStatus
    principal: str
    comment: str = ""
    at: str


class RegisteredAgent(Value):
    """A version in the registry."""

    manifest: AgentManifest
    sha256: str
    owner: str
    status: AgentStatus
    registered_at: str
    registered_by: str

    @property
    def name(self) -> str:
        """The agent's name."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The version."""
        return self.manifest.version


class StatusRules(Value):
    """What the statuses mean in an installation: which versions a run may begin to use, and which may go on."""

    startable: frozenset[AgentStatus]
    running: frozenset[AgentStatus]


PRODUCTION: Final = StatusRules(
    startable=frozenset({AgentStatus.APPROVED}), running=frozenset({AgentStatus.APPROVED, AgentStatus.DEPRECATED})
)
"""Only approved versions begin; a run that has one goes on when it is deprecated."""
DEVELOPMENT: Final = StatusRules(
    startable=frozenset(AgentStatus) - {AgentStatus.RETIRED}, running=frozenset(AgentStatus) - {AgentStatus.RETIRED}
)
"""Everything but what is retired."""


def check_move(agent: RegisteredAgent, after: AgentStatus, by: Principal) -> None:
    """Refuse a move that may not be made, or not by this person.

    Raises:
        WrongStatus: the version's status does not lead there.
        Forbidden: the person's role may not, or they would approve what is theirs.
    """
    label = f"{agent.name} {agent.version}"
    if after not in MOVES[agent.status]:
        ways = ", ".join(sorted(MOVES[agent.status])) or "nothing: register a new version"
        raise WrongStatus(f"{label} is {agent.status}, which leads to {ways}")
    if after is AgentStatus.APPROVED:
        if by.role not in APPROVERS:
            raise Forbidden(f"approving an agent needs the role approver or admin, and {by.name} is {by.role}")
        if by.id in (agent.owner, agent.registered_by):
            raise Forbidden(f"{label} is yours: somebody else approves it (four eyes)")
        return
    allowed = STOPPERS if after is AgentStatus.RETIRED else MOVERS
    if by.role not in allowed and by.id != agent.owner and not (agent.status is AgentStatus.REVIEW and by.role in APPROVERS):
        raise Forbidden(f"moving {label} to {after} needs to be its owner, or one of the roles {', '.join(sorted(allowed))}")


class AgentChoice(Value):
    """The agents that a definition may name: every version of them, and the statuses in which one may be begun with."""

    agents: tuple[RegisteredAgent, ...] = ()
    startable: frozenset[AgentStatus] = DEVELOPMENT.startable

    def pick(self, reference: str) -> RegisteredAgent:
        """Return the highest version in the range of `name@range` that a run may begin to use.

        Raises:
            NotFound: there is none; the message says what there is, and in which status.
            InvalidInput: the range cannot be read.
        """
        name, _, wanted = reference.partition("@")
        versions = {agent.version: agent for agent in self.agents if agent.name == name}
        ready = [version for version, agent in versions.items() if agent.status in self.startable]
        best = newest([wanted] if wanted else [], ready)
        if best is not None:
            return versions[best]
        there = ", ".join(f"{version} ({versions[version].status})" for version in sorted(versions)) or "none"
        raise NotFound(f"no version of the agent {reference} may be used; of {name} there is {there}")


NO_AGENTS: Final = AgentChoice()


def text_sha256(text: str) -> str:
    """Return the SHA-256 of a prompt's text, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


class AgentStore(Protocol):
    """Agents and prompts of a tenant."""

    async def register(self, tenant: str, manifest: AgentManifest, *, owner: str, principal: str) -> RegisteredAgent:
        """Insert a version as a draft; the same content again changes nothing. Raises: VersionExists."""
        ...

    async def get(self, tenant: str, name: str, version: str) -> RegisteredAgent | None:
        """Return one version."""
        ...

    async def named(self, tenant: str, names: Iterable[str]) -> list[RegisteredAgent]:
        """Return every version of these agents."""
        ...

    async def all(self, tenant: str) -> list[RegisteredAgent]:
        """Return every version, by name, then newest first."""
        ...

    async def move(self, tenant: str, agent: RegisteredAgent, after: AgentStatus, *, principal: str, comment: str) -> RegisteredAgent:
        """Move a version that stands where `agent` says, and note who did. Raises: WrongStatus, if it stands elsewhere by now."""
        ...

    async def moves(self, tenant: str, name: str, version: str) -> list[AgentMove]:
        """Return a version's moves, oldest first, its registration included."""
        ...

    async def register_prompt(self, tenant: str, name: str, version: str, text: str, *, principal: str) -> RegisteredPrompt:
        """Insert a prompt's version; the same text again changes nothing. Raises: VersionExists."""
        ...

    async def prompts(self, tenant: str, name: str | None = None) -> list[RegisteredPrompt]:
        """Return every version of one prompt, or of all, by name, then newest first."""
        ...
