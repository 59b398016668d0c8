"""The grammar of an agent's file: the plain, inlined document becomes a manifest, with every mistake noted. Pure."""

from typing import Final

from pydantic import JsonValue

from domain.agents import AgentInstructions, AgentLimits, AgentManifest, PromptRef, text_sha256
from domain.definition_blocks import BlockReader
from domain.definition_keywords import MODEL_KEYS, NAME, NAME_CHARS_MAX
from domain.definition_model_grammar import model_options
from domain.definition_models import check_manifest_models
from domain.definition_parts import DocPath, Mistake, ParsedDefinition
from domain.definition_reader import Node
from domain.definition_rules import pin_tools
from domain.errors import InvalidInput
from domain.model_table import ALIAS, DEFAULT, MODEL, NO_ALIASES, ModelTable
from domain.program import AgentStep
from domain.prompt_text import variables_of
from domain.tools import ToolSpec
from domain.versions import is_range, is_version

FORMAT: Final = 1
AT: Final[DocPath] = ("agent",)
MANIFEST_KEYS: Final = (
    *("name", "version", "description", "model", "instructions", "variables", "tools", "asks", "hands_off_to"),
    *("max_turns", "max_output_tokens", "timeout", "budget", "output"),
    *(key for key in MODEL_KEYS if key != "attachments"),
)
"""Keys of `agent:` in a file of its own."""


def parse_agent(
    document: dict[str, JsonValue], tools: list[ToolSpec], models: ModelTable = NO_ALIASES
) -> tuple[AgentManifest | None, list[Mistake]]:
    """Return the manifest, or what is wrong; never both."""
    reader = AgentFileReader(ParsedDefinition())
    manifest = reader.manifest(document)
    pin_tools(reader.parsed, tools, reader.mistakes)
    if manifest is not None:
        reader.mistakes.extend(check_manifest_models(_asking(manifest), AT, models))
    return (None, reader.mistakes) if reader.mistakes else (manifest, [])


def _asking(manifest: AgentManifest) -> AgentStep:
    """Return what an agent asks of its models."""
    return AgentStep(
        path=manifest.name,
        model=manifest.model,
        fallbacks=list(manifest.fallbacks),
        max_call_usd_micros=manifest.max_call_usd_micros,
        temperature=manifest.temperature,
        parallel_tools=manifest.parallel_tools,
        instructions="",
        tools=[*manifest.tools, *manifest.asks, *manifest.hands_off_to],
        output_schema=manifest.output_schema,
        max_output_tokens=manifest.limits.max_output_tokens,
    )


class AgentFileReader(BlockReader):
    """Reads one file."""

    def manifest(self, document: dict[str, JsonValue]) -> AgentManifest | None:
        """Return what it says, as far as its mistakes allow."""
        self.keys(document, (), ("standfast", "agent"), place="agent file")
        if document.get("standfast") != FORMAT or isinstance(document.get("standfast"), bool):
            self.note(("standfast",) if "standfast" in document else (), "this version reads format 1", f"standfast: {FORMAT}")
        node = self.mapping(document.get("agent"), AT, "agent: {name: …, version: 1.0.0, model: provider/name, instructions: prompt-name}")
        if node is None:
            return None
        self.keys(node, AT, MANIFEST_KEYS, place="agent")
        variables = self._variables(node)
        said: dict[str, object] = {
            "name": self._name(node),
            "version": self._version(node),
            "description": self.text(node, "description", AT, required=False),
            "model": self._model(node),
            **model_options(self, node, AT),
            "instructions": self._template(node, variables),
            "variables": variables,
            "tools": self._references(node, "tools"),
            "asks": self._agents(node, "asks"),
            "hands_off_to": self._agents(node, "hands_off_to"),
            "limits": AgentLimits(
                max_turns=self.integer(node, "max_turns", AT, default=8, between=(1, 64)),
                max_output_tokens=self.integer(node, "max_output_tokens", AT, default=4096, between=(1, 1_000_000)),
                timeout_s=self.duration(node, "timeout", AT),
                budget=self.budget(node["budget"], (*AT, "budget")) if "budget" in node else None,
            ),
            "output_schema": self._output_schema(node.get("output"), (*AT, "output")) if "output" in node else None,
        }
        return None if self.mistakes else AgentManifest.model_validate(said)

    def _name(self, node: Node) -> str:
        name = self.text(node, "name", AT, example="name: claim-reviewer")
        if name and (not NAME.fullmatch(name) or len(name) > NAME_CHARS_MAX):
            self.note((*AT, "name"), f"`{name}` is no name: lower-case letters, digits and single hyphens, at most {NAME_CHARS_MAX}")
        return name

    def _version(self, node: Node) -> str:
        version = node.get("version")
        if isinstance(version, str) and is_version(version):
            return version
        self.note((*AT, "version") if "version" in node else AT, "`version` must be a full semantic version", "version: 1.0.0")
        return ""

    def _model(self, node: Node) -> str:
        model = self.text(node, "model", AT, example="model: provider/name") if "model" in node else DEFAULT
        fallbacks = node.get("fallback")
        later = [item.get("model") if isinstance(item, dict) else item for item in fallbacks] if isinstance(fallbacks, list) else []
        named = [(model, (*AT, "model")), *((text, (*AT, "fallback", place)) for place, text in enumerate(later))]
        for text, at in named:
            if isinstance(text, str) and text and ("${" in text or not (MODEL.fullmatch(text) or ALIAS.fullmatch(text))):
                self.note(at, f"`{text}` is no model: write provider/name, or an alias", "anthropic/…")
        return model

    def _variables(self, node: Node) -> Node | None:
        if "variables" not in node:
            return None
        value = self.mapping(node["variables"], (*AT, "variables"), "variables: {schema: {type: object, properties: {…}}}")
        if value is None:
            return None
        self.keys(value, (*AT, "variables"), ("schema",), place="variables")
        return self.schema(value, (*AT, "variables"))

    def _template(self, node: Node, variables: Node | None) -> AgentInstructions | None:
        text = self._instructions(node, AT, "")
        value = node.get("instructions")
        at = (*AT, "instructions", "text")
        if not text or not isinstance(value, dict):
            return None
        try:
            read = variables_of(text)
        except InvalidInput as error:
            self.note(at, error.detail)
            return None
        properties = (variables or {}).get("properties")
        known = properties if isinstance(properties, dict) else {}
        for name in (name for name in read if name not in known):
            self.note(
                at, f"the prompt reads `{name}`, which `variables` does not declare", f"variables: {{schema: {{properties: {{{name}: …"
            )
        if "${" in text:
            self.note(at, "`${ }` belongs to definitions: a registered agent's prompt reads its variables", "{{ name }}")
        name, version = value.get("name"), value.get("version")
        named = isinstance(name, str) and isinstance(version, str)
        prompt = PromptRef(name=str(name), version=str(version), sha256=text_sha256(text)) if named else None
        return AgentInstructions(text=text, prompt=prompt)

    def _references(self, node: Node, key: str) -> tuple[str, ...]:
        """Return references to tools as they are written; each is noted for pinning."""
        value = node.get(key, [])
        self._tool_names(value, (*AT, key))
        return tuple(str(item) for item in value) if isinstance(value, list) else ()

    def _agents(self, node: Node, key: str) -> tuple[str, ...]:
        value = node.get(key, [])
        if not isinstance(value, list):
            self.note((*AT, key), f"`{key}` is a list of agents", f"{key}: [agent-name@^1]")
            return ()
        for index, item in enumerate(value):
            name, _, wanted = str(item).partition("@")
            if not isinstance(item, str) or not NAME.fullmatch(name) or (wanted and not is_range(wanted)):
                self.note((*AT, key, index), "an agent is named by name or name@range", "agent-name@^1")
        names = [str(item).partition("@")[0] for item in value]
        for index, name in enumerate(names):
            if name in names[:index]:
                self.note((*AT, key, index), f"`{name}` is listed twice")
        return tuple(str(item) for item in value)
