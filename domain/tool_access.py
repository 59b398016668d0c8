"""Who may call a tool: grants by tool, agent and role of one tenant, and what is held back. Pure.

A tool that any grant of the tenant names, also one that was taken back, is closed but for its grants; a tool that none names is open to
the tenant. So taking a grant back never opens anything, and a grant of `*` to nobody closes everything that is not granted by name.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Protocol

from pydantic import Field, StringConstraints

from domain.errors import StandfastError, ToolDenied, ToolQuarantined
from domain.model import Value

ANYONE: Final = "*"
STEPS: Final = "steps"
"""Stands among a grant's agents for the `call` steps of definitions, which no agent asks for."""

ToolPattern = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?)$", max_length=200)]
"""A tool's name, `name.*` for all below it, or `*`."""
Subject = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[!-~]+$")]


class ToolGrant(Value):
    """Lets agents of runs whose principal has a role call tools.

    `agents` are names, `name/*`, `steps` or `*`; an agent of a definition is called `definition/step`, a registered one by its name.
    `roles` are platform or reviewer roles, or `*`. With nobody in one of them the grant only closes its tools.
    """

    grant: str
    tools: Annotated[tuple[ToolPattern, ...], Field(min_length=1, max_length=50)]
    agents: Annotated[tuple[Subject, ...], Field(max_length=50)] = (ANYONE,)
    roles: Annotated[tuple[Subject, ...], Field(max_length=50)] = (ANYONE,)
    reason: str = ""
    granted_by: str = ""
    granted_at: str = ""
    revoked_by: str | None = None
    revoked_at: str | None = None

    @property
    def stands(self) -> bool:
        """Whether it was not taken back."""
        return self.revoked_at is None

    def names(self, tool: str) -> bool:
        """Whether it is about this tool."""
        return any(_matches(pattern, tool, ".") for pattern in self.tools)

    def admits(self, agent: str | None, registered: str | None = None) -> bool:
        """Whether this agent, or the registered one that it is, or without one a definition's own step, is among its agents."""
        if registered not in (None, STEPS) and registered in self.agents:  # a registered agent may be called `steps`, and is none
            return True
        return any(_matches(pattern, agent or STEPS, "/") for pattern in self.agents)


class ToolUse(Value):
    """A call about to be made, as permissions see it; an agent is known by `definition/step`, a registered one by its name too."""

    tenant: str
    tool: str
    version: str
    agent: str | None = None
    registered: str | None = None
    principal: str


class AccessPicture(Value):
    """What decides about a tenant's calls at one moment: all grants, and why a version (`name@version`) is held back."""

    grants: tuple[ToolGrant, ...] = ()
    quarantined: dict[str, str] = {}


class ToolGate(Protocol):
    """Asked just before each call of a tool."""

    async def admit(self, use: ToolUse) -> tuple[str, ...]:
        """Return the roles that the run's principal has now.

        Raises:
            ToolDenied: no grant lets this call through. ToolQuarantined: the tool is held back.
            Unavailable: it cannot be known now; nothing is called then.
        """
        ...


def refusal(picture: AccessPicture, use: ToolUse, roles: tuple[str, ...]) -> StandfastError | None:
    """Return why the call may not be made, or None."""
    held = picture.quarantined.get(f"{use.tool}@{use.version}")
    if held is not None:
        return ToolQuarantined(f"{use.tool} {use.version} is in quarantine: {held}; nothing was done. A person releases it")
    asker = f"the agent {use.agent}" if use.agent else "a step of the definition"
    about = [grant for grant in picture.grants if grant.names(use.tool)]
    if not about:
        return None
    fitting = [grant for grant in about if grant.stands and grant.admits(use.agent, use.registered)]
    if not fitting:
        return ToolDenied(f"no grant lets {asker} call {use.tool}; nothing was done")
    if not any(ANYONE in grant.roles or not set(grant.roles).isdisjoint(roles) for grant in fitting):
        wanted = sorted({role for grant in fitting for role in grant.roles})
        asked = f"one of the roles {', '.join(wanted)}" if wanted else "a role, and none is granted"
        return ToolDenied(f"{use.tool} needs {asked}, and the principal of this run has {', '.join(roles) or 'none'}; nothing was done")
    return None


def never_admitted(grants: tuple[ToolGrant, ...], tools: Mapping[str, set[str | None]]) -> list[str]:
    """Return what no grant could ever let through, whatever the role: each as a sentence. `tools` maps each tool to who asks for it."""
    told: list[str] = []
    for tool, agents in sorted(tools.items()):
        about = [grant for grant in grants if grant.names(tool)]
        refused = [agent for agent in agents if about and not any(one.stands and one.roles and one.admits(agent) for one in about)]
        names = sorted(f"the agent {agent}" if agent else "a step" for agent in refused)
        told.extend(f"no grant lets {name} call the tool `{tool}`" for name in names)
    return told


def _matches(pattern: str, name: str, separator: str) -> bool:
    return pattern in (ANYONE, name) or (pattern.endswith(f"{separator}*") and name.startswith(pattern[:-1]))
