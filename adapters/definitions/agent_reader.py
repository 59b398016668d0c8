"""Reads the agent files of a bundle into manifests, or into problems with file, line and column."""

import posixpath
from collections.abc import Callable

from pydantic import JsonValue

from adapters.definitions.documents import Document
from adapters.definitions.inlining import Inlined, inline
from adapters.definitions.positions import locate
from adapters.definitions.yaml_reader import check_size, yaml_documents
from domain.agent_files import parse_agent
from domain.agents import AgentManifest, RegisteredPrompt
from domain.definition_parts import Mistake
from domain.model_table import NO_ALIASES, ModelTable
from domain.registry import Problem
from domain.tools import ToolSpec

Parse = Callable[[dict[str, JsonValue]], tuple[AgentManifest | None, list[Mistake]]]
"""Reads an inlined document, by the tools and models that there are."""


class YamlAgentReader:
    """An `AgentReader` for folders of YAML; an agent's file is one whose top says `agent:`."""

    def read_agents(
        self, files: dict[str, str], *, tools: list[ToolSpec], prompts: list[RegisteredPrompt], models: ModelTable = NO_ALIASES
    ) -> tuple[list[AgentManifest], list[Problem]]:
        """Return what every agent file says, or every problem found; never both."""
        problems = check_size(files)
        if problems:
            return [], problems
        documents, problems = yaml_documents(files)
        found: list[AgentManifest] = []
        seen: dict[tuple[str, str], str] = {}
        for document in (one for one in documents if isinstance(one.value, dict) and "agent" in one.value):
            manifest, mistakes = _read(document, files, prompts, lambda said: parse_agent(said, tools, models))
            problems.extend(mistakes)
            if manifest is None:
                continue
            key = (manifest.name, manifest.version)
            if key in seen:
                message = f"the agent {manifest.name} {manifest.version} is also in {seen[key]}"
                problems.append(locate(Mistake(("agent", "name"), message), Inlined(document=document), {}))
            seen[key] = document.file
            found.append(manifest)
        if not found and not problems:
            first = min(files, default="bundle")
            problems.append(Problem(file=first, line=1, column=1, message="this bundle has no agent", instead="a .yaml file with `agent:`"))
        return ([], problems) if problems else (found, [])


def _read(
    document: Document, files: dict[str, str], prompts: list[RegisteredPrompt], parse: Parse
) -> tuple[AgentManifest | None, list[Problem]]:
    folder = posixpath.dirname(document.file)
    own = {posixpath.basename(file).removesuffix(".md").partition("@")[0] for file in files if posixpath.dirname(file).endswith("prompts")}
    known = {posixpath.join(folder, "prompts", f"{p.name}@{p.version}.md"): p.text for p in prompts if p.name not in own}
    inlined = inline(document, {**known, **files})
    manifest, mistakes = parse(inlined.value)
    if inlined.problems:  # a prompt or schema that is not there would only cause mistakes of no use to anyone
        return None, inlined.problems
    return manifest, [locate(mistake, inlined, {**known, **files}) for mistake in mistakes]
