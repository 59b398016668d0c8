"""Agents for tests."""

from pydantic import JsonValue

from domain.agents import AgentInstructions, AgentLimits, AgentManifest, AgentStatus, RegisteredAgent


def manifest(name: str = "reviewer", version: str = "1.0.0", *, text: str = "Be strict.", **more: object) -> AgentManifest:
    """Build what a version says."""
    return AgentManifest.model_validate(
        {"name": name, "version": version, "model": "fake/model", "instructions": AgentInstructions(text=text), **more}
    )


def registered(said: AgentManifest | None = None, *, status: AgentStatus = AgentStatus.APPROVED, owner: str = "prn_o") -> RegisteredAgent:
    """Build a version in the registry."""
    made = said or manifest()
    return RegisteredAgent(
        manifest=made,
        sha256=made.sha256(),
        owner=owner,
        status=status,
        registered_at="2026-01-01T00:00:00.000000Z",
        registered_by=owner,
    )


def toned(**limits: int) -> AgentManifest:
    """Build a version whose instructions read a variable."""
    schema: dict[str, JsonValue] = {"type": "object", "required": ["tone"], "properties": {"tone": {"type": "string"}}}
    return manifest(text="Be {{ tone }}.", variables=schema, limits=AgentLimits.model_validate(limits))
