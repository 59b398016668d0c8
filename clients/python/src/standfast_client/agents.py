"""What the gateway says of registered agents and prompts."""

from pydantic import JsonValue

from standfast_client.models import Received


class AgentMove(Received):
    """How a version came to a status; `before` is None for its registration."""

    before: str | None = None
    after: str
    principal: str
    comment: str = ""
    at: str = ""


class Agent(Received):
    """A version of a registered agent: `status` is draft, review, approved, deprecated or retired. Lists have no manifest, no moves."""

    name: str
    version: str
    description: str = ""
    sha256: str
    owner: str
    status: str
    model: str = ""
    registered_at: str = ""
    registered_by: str = ""
    manifest: dict[str, JsonValue] = {}
    moves: list[AgentMove] = []


class Prompt(Received):
    """A version of a prompt; lists leave `text` and the `variables` it reads empty."""

    name: str
    version: str
    sha256: str
    text: str = ""
    variables: list[str] = []
    registered_at: str = ""
    registered_by: str = ""


class AgentRegistration(Received):
    """What a bundle's registration yielded."""

    agents: list[Agent]
    prompts: list[Prompt] = []
