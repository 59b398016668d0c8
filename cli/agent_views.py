"""What people see of agents and prompts: rows, fields and lines. Pure: nothing is written here."""

from cli.views import Fields, moment
from standfast_client import Agent, Prompt

AGENT_COLUMNS = ("NAME", "VERSION", "STATUS", "MODEL", "OWNER", "SHA-256")
PROMPT_COLUMNS = ("NAME", "VERSION", "SHA-256")


def agent_row(agent: Agent) -> tuple[str, ...]:
    """Return a row of the list."""
    return (agent.name, agent.version, agent.status, agent.model, agent.owner, agent.sha256[:12])


def agent_fields(agent: Agent) -> Fields:
    """Return what one version says, and how it came to its status."""
    moves = [
        f"{moment(move.at)}  {move.before or '-'} → {move.after} by {move.principal}{f': {move.comment}' if move.comment else ''}"
        for move in agent.moves
    ]
    fields: Fields = [
        ("agent", f"{agent.name} {agent.version}"),
        ("status", agent.status),
        ("description", agent.description or None),
        ("model", agent.model),
        ("owner", agent.owner),
        ("sha-256", agent.sha256),
    ]
    return fields + [("moved" if number else "since", line) for number, line in enumerate(moves)]


def prompt_row(prompt: Prompt) -> tuple[str, ...]:
    """Return a row of the list."""
    return (prompt.name, prompt.version, prompt.sha256[:12])
