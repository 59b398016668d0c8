"""Reads a bundle of YAML definitions, prompts, schemas and tools into drafts, or into problems with file, line and column."""

from collections.abc import Callable
from typing import Final, cast

from pydantic import JsonValue, ValidationError

from adapters.definitions.documents import Document, Unreadable, read_yaml
from adapters.definitions.inlining import Inlined, inline
from adapters.definitions.positions import locate
from domain.agents import NO_AGENTS, AgentChoice
from domain.canonical import digest_hex
from domain.compile import with_bundled
from domain.declared_tools import Declaration, declaration_model, declaration_of
from domain.definition_keywords import near
from domain.definition_parse import parse_definition
from domain.definition_parts import Mistake, ParsedDefinition
from domain.definition_rules import check_definition
from domain.errors import InvalidInput
from domain.model_table import NO_ALIASES, ModelTable
from domain.registry import DefinitionDraft, Problem
from domain.schemas import check_schema
from domain.tools import ToolSpec

BUNDLE_BYTES_MAX: Final = 1024 * 1024
"""Largest bundle, all files together, UTF-8."""
FILES_MAX: Final = 256
"""Most files of a bundle."""
TOOL_FOLDER: Final = "tools/"
"""Where a bundle keeps the tools it declares."""


class YamlBundleReader:
    """A `BundleReader` for folders of YAML."""

    def read(
        self, files: dict[str, str], *, tools: list[ToolSpec], agents: AgentChoice = NO_AGENTS, models: ModelTable = NO_ALIASES
    ) -> tuple[list[DefinitionDraft], list[Problem]]:
        """Return the drafts of every definition in the bundle, or every problem found; never both."""
        problems = check_size(files)
        if problems:
            return [], problems
        declared, tool_problems = _read_tools(files)
        problems.extend(tool_problems)
        known = with_bundled(tools, declared)
        drafts: list[DefinitionDraft] = []
        documents, unreadable = yaml_documents(files)
        definitions = [document for document in documents if _is_definition(document.value)]
        problems.extend(unreadable)
        for document in definitions:
            draft, found = _read_definition(document, files, declared, lambda parsed: check_definition(parsed, known, agents, models))
            problems.extend(found)
            drafts.extend([draft] if draft is not None else [])
        if not definitions and not problems:
            first = min(files, default="bundle")
            problems.append(
                Problem(file=first, line=1, column=1, message="this bundle has no definition", instead="a .yaml file with `standfast: 1`")
            )
        problems.extend(_repeated(drafts, definitions) if not problems else [])
        return ([], _sorted(problems)) if problems else (drafts, [])


def validate_text(files: dict[str, str], tools: list[ToolSpec]) -> list[Problem]:
    """Return every problem of a bundle (path → text); an empty list means that it can be registered."""
    return YamlBundleReader().read(files, tools=tools)[1]


def check_size(files: dict[str, str]) -> list[Problem]:
    """Return what is wrong with a bundle's size and paths."""
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in files.values())
    if size > BUNDLE_BYTES_MAX:
        return [
            Problem(
                file=max(files, key=lambda f: len(files[f])),
                line=1,
                column=1,
                message=f"the bundle has {size} bytes; at most 1 MiB is read",
            )
        ]
    if len(files) > FILES_MAX:
        return [Problem(file=max(files), line=1, column=1, message=f"the bundle has {len(files)} files; at most {FILES_MAX} are read")]
    strays = [file for file in sorted(files) if file.startswith("/") or ".." in file.split("/") or "\\" in file]
    return [Problem(file=file, line=1, column=1, message="a file's path is relative and stays inside the bundle") for file in strays]


def _is_yaml(file: str) -> bool:
    return file.endswith((".yaml", ".yml"))


def yaml_documents(files: dict[str, str]) -> tuple[list[Document], list[Problem]]:
    """Return the YAML files of a bundle but its tools, and what is wrong with those that cannot be read."""
    found: list[Document] = []
    problems: list[Problem] = []
    for file in sorted(files):
        if not _is_yaml(file) or file.startswith(TOOL_FOLDER):
            continue
        try:
            found.append(read_yaml(file, files[file]))
        except Unreadable as error:
            problems.extend(error.problems)
    return found, problems


def _is_definition(value: JsonValue) -> bool:
    """Whether a document is a definition; other YAML is an agent's or data of its owner, but must be readable."""
    return isinstance(value, dict) and ("standfast" in value or "do" in value) and "agent" not in value


def _read_definition(
    document: Document, files: dict[str, str], declared: list[dict[str, JsonValue]], check: Callable[[ParsedDefinition], list[Mistake]]
) -> tuple[DefinitionDraft | None, list[Problem]]:
    inlined = inline(document, files)
    parsed = parse_definition(inlined.value)
    # A prompt or schema that is not there would only cause mistakes of no use to anyone.
    mistakes = parsed.mistakes or ([] if inlined.problems else check(parsed))
    problems = [*inlined.problems, *(locate(mistake, inlined, files) for mistake in mistakes)]
    if problems:
        return None, problems
    sealed: JsonValue = {"document": inlined.value, "tools": cast("JsonValue", declared)}
    draft = DefinitionDraft(
        name=parsed.name,
        version=parsed.version,
        sha256=digest_hex("standfast:definition:v1", sealed),
        document=inlined.value,
        input_schema=parsed.input_schema,
        config_schema=parsed.config_schema,
        config_defaults=parsed.config_defaults,
        tools=declared,
    )
    return draft, []


def _read_tools(files: dict[str, str]) -> tuple[list[dict[str, JsonValue]], list[Problem]]:
    """Return the tools under `tools/` as plain data, sorted by name and version."""
    declared: dict[tuple[str, str], dict[str, JsonValue]] = {}
    problems: list[Problem] = []
    for file in sorted(files):
        if not _is_yaml(file) or not file.startswith(TOOL_FOLDER):
            continue
        try:
            document = read_yaml(file, files[file])
        except Unreadable as error:
            problems.extend(error.problems)
            continue
        inlined = Inlined(document=document)
        try:
            tool = declaration_of(document.value)
        except ValidationError as error:
            problems.extend(locate(mistake, inlined, files) for mistake in _tool_mistakes(error, declaration_model(document.value)))
            continue
        problems.extend(locate(mistake, inlined, files) for mistake in _schema_mistakes(tool))
        if (tool.name, tool.version) in declared:
            problems.append(locate(Mistake(("name",), f"the tool `{tool.name}` {tool.version} is declared twice"), inlined, files))
        elif isinstance(document.value, dict):
            declared[tool.name, tool.version] = document.value
    return [declared[key] for key in sorted(declared)], problems


def _tool_mistakes(error: ValidationError, model: type[Declaration]) -> list[Mistake]:
    found: list[Mistake] = []
    for detail in error.errors(include_url=False, include_context=False):
        extra = detail["type"] == "extra_forbidden"
        name = detail["loc"][-1] if detail["loc"] else ""
        message = f"unknown key `{name}` in tool" if extra else f"{name}: {detail['msg']}" if name else detail["msg"]
        instead = _near_tool_key(str(name), model) if extra else ""
        found.append(Mistake(tuple(detail["loc"]), message, instead, on_key=extra))
    return found


def _schema_mistakes(tool: Declaration) -> list[Mistake]:
    found: list[Mistake] = []
    for key, schema in (("input", tool.input_schema), ("output", tool.output_schema)):
        try:
            check_schema(schema)
        except InvalidInput as error:
            inner = [int(part) if part.isdigit() else part for part in (error.where or "").split("/")[1:]]
            found.append(Mistake((key, *inner), error.detail))
    return found


def _near_tool_key(name: str, model: type[Declaration]) -> str:
    keys = [information.alias or key for key, information in model.model_fields.items()]
    return near(name, keys)


def _repeated(drafts: list[DefinitionDraft], definitions: list[Document]) -> list[Problem]:
    problems: list[Problem] = []
    seen: dict[tuple[str, str], str] = {}
    for draft, document in zip(drafts, definitions, strict=True):
        key = (draft.name, draft.version)
        if key in seen:
            message = f"{draft.name} {draft.version} is also defined in {seen[key]}"
            problems.append(locate(Mistake(("name",), message), Inlined(document=document), {}))
        seen[key] = document.file
    return problems


def _sorted(problems: list[Problem]) -> list[Problem]:
    unique = {(problem.file, problem.line, problem.column, problem.message): problem for problem in problems}
    return [unique[key] for key in sorted(unique)]
