"""Bundles, registered definitions and the ports of the registry. Pure."""

from typing import Protocol

from pydantic import JsonValue

from domain.agents import NO_AGENTS, AgentChoice, AgentManifest, RegisteredPrompt
from domain.model import Value
from domain.model_table import NO_ALIASES, ModelTable
from domain.program import Program
from domain.tools import ToolSpec


class Problem(Value):
    """One mistake in a bundle: `file:line:column: message`, and what to write instead. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str
    instead: str = ""

    def __str__(self) -> str:
        """Return the one-line form that editors understand."""
        tail = f". Write instead: {self.instead}" if self.instead else ""
        return f"{self.file}:{self.line}:{self.column}: {self.message}{tail}"


class DefinitionDraft(Value):
    """A bundle that passed every check: `document` is the parsed, inlined definition (JSON); `sha256` is over its JCS."""

    name: str
    version: str
    sha256: str
    document: dict[str, JsonValue]
    input_schema: dict[str, JsonValue]
    config_schema: dict[str, JsonValue]
    config_defaults: dict[str, JsonValue]
    tools: list[dict[str, JsonValue]] = []


class RegisteredDefinition(DefinitionDraft):
    """A draft in the registry; immutable."""

    registered_at: str
    registered_by: str


class BundleReader(Protocol):
    """Reads a bundle (path → text) into drafts."""

    def read(
        self, files: dict[str, str], *, tools: list[ToolSpec], agents: AgentChoice = NO_AGENTS, models: ModelTable = NO_ALIASES
    ) -> tuple[list[DefinitionDraft], list[Problem]]:
        """Return the drafts of every definition in the bundle, or the problems; never both."""
        ...


class ProgramCompiler(Protocol):
    """Compiles a registered definition for one run."""

    def __call__(
        self,
        definition: DefinitionDraft,
        *,
        tools: list[ToolSpec],
        config: dict[str, JsonValue],
        agents: AgentChoice = NO_AGENTS,
        models: ModelTable = NO_ALIASES,
    ) -> Program:
        """Pin tools, agents, models and config.

        Raises:
            InvalidDefinition: a tool or version is gone, or `config` breaks its schema.
        """
        ...


class AgentReader(Protocol):
    """Reads the agents of a bundle (path → text)."""

    def read_agents(
        self, files: dict[str, str], *, tools: list[ToolSpec], prompts: list[RegisteredPrompt], models: ModelTable = NO_ALIASES
    ) -> tuple[list[AgentManifest], list[Problem]]:
        """Return what every agent file of the bundle says, or the problems; prompts that the bundle has not are looked for in `prompts`."""
        ...
