"""The grammar of a definition: the plain, inlined document becomes a parsed definition with all its mistakes. Pure."""

from pydantic import JsonValue

from domain.definition_keywords import EXECUTIONS, NAME, NAME_CHARS_MAX, TOP_KEYS
from domain.definition_parts import ParsedDefinition
from domain.definition_reader import Node
from domain.definition_steps import StepReader
from domain.schemas import validate
from domain.versions import is_version

FORMAT = 1
"""The value of `standfast:` that this version reads."""


def parse_definition(document: dict[str, JsonValue]) -> ParsedDefinition:
    """Return the definition; if its `mistakes` are not empty, the rest is only as complete as they allow."""
    parsed = ParsedDefinition()
    reader = StepReader(parsed)
    reader.keys(document, (), TOP_KEYS, place="definition")
    if document.get("standfast") != FORMAT or isinstance(document.get("standfast"), bool):
        reader.note(("standfast",) if "standfast" in document else (), "this version reads format 1", f"standfast: {FORMAT}")
    parsed.name = _name(document, reader)
    parsed.version = _version(document, reader)
    if "description" in document:
        reader.text(document, "description", ())
    parsed.input_schema = _section(document, "input", ("schema",), reader).get("schema", {})
    config = _section(document, "config", ("schema", "defaults"), reader)
    parsed.config_schema = config.get("schema", {})
    parsed.config_defaults = config.get("defaults", {})
    _check_defaults(parsed, reader)
    parsed.steps = reader.steps(document.get("do"), ("do",) if "do" in document else (), "")
    if "execution" in document:
        parsed.execution = "steps" if reader.choice(document, "execution", (), EXECUTIONS) == "steps" else "segment"
    if "budget" in document:
        parsed.budget = reader.budget(document["budget"], ("budget",))
    if "subject" in document:
        parsed.subject = reader.text(document, "subject", (), example='subject: "${ input.claim.passenger_id }"')
        reader.spot(("subject",), "", "subject", parsed.subject)
    if "doubts" in document:
        parsed.doubts = reader.doubts(document["doubts"], ("doubts",))
    if "output" in document:
        parsed.output = document["output"]
        reader.spot(("output",), "", "result", parsed.output)
    return parsed


def _name(document: Node, reader: StepReader) -> str:
    name = reader.text(document, "name", (), example="name: delay-claim")
    if name and (not NAME.fullmatch(name) or len(name) > NAME_CHARS_MAX):
        reader.note(("name",), f"`{name}` is no name: lower-case letters, digits and single hyphens, at most {NAME_CHARS_MAX}")
    return name


def _version(document: Node, reader: StepReader) -> str:
    version = document.get("version")
    if isinstance(version, str) and is_version(version):
        return version
    if version is None:
        reader.note((), "`version` is missing", "version: 1.0.0")
    else:
        number = f"{version}.0.0" if isinstance(version, int) else f"{version}.0" if isinstance(version, float) else "1.0.0"
        reader.note(("version",), "`version` must be a full semantic version", f"version: {number}")
    return ""


def _section(document: Node, key: str, known: tuple[str, ...], reader: StepReader) -> dict[str, Node]:
    """Return the mappings of `input:` or `config:`; what is missing or wrong is left out."""
    if key not in document:
        return {}
    node = reader.mapping(document[key], (key,), f"{key}: {{schema: {{type: object, …}}}}")
    if node is None:
        return {}
    reader.keys(node, (key,), known, place=key)
    schema = reader.schema(node, (key,))
    defaults = reader.mapping(node["defaults"], (key, "defaults"), "defaults: {…}") if "defaults" in node else None
    return {part: value for part, value in (("schema", schema), ("defaults", defaults)) if value is not None}


def _check_defaults(parsed: ParsedDefinition, reader: StepReader) -> None:
    """Defaults may leave out what the schema requires: a tenant's config adds it when a run starts."""
    relaxed = {key: value for key, value in parsed.config_schema.items() if key != "required"}
    for message in validate(relaxed, parsed.config_defaults):
        reader.note(("config", "defaults"), f"the defaults break their schema at {message}")
