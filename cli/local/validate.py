"""`standfast validate`: checks a bundle with the tools this machine has, as the gateway does at registration."""

import asyncio
import re
from pathlib import Path

from pydantic import JsonValue

from cli.exit_codes import ExitCode
from cli.options import ValidateOptions
from cli.screen import clean, note, say, show_json
from domain.registry import DefinitionDraft, Problem
from standfast_client import BundleError
from standfast_client.bundle import read_bundle
from wiring.gateway import YamlBundleReader
from wiring.settings import PlatformSettings
from wiring.tools import build_toolbox

_FILES_MAX = 256
_DEFINITION = re.compile(r"^standfast\s*:", re.MULTILINE)


def run(options: ValidateOptions) -> int:
    """Check and say what is wrong, one line per mistake."""
    try:
        folder, files = bundle_of(options.path)
    except BundleError as error:
        note(f"error: {error}")
        return ExitCode.USAGE
    drafts, problems = asyncio.run(_checked(files))
    if options.json_output:
        show_json({"ok": not problems, "problems": [_with_path(folder, problem) for problem in problems]})
        return ExitCode.FAILURE if problems else ExitCode.OK
    for problem in problems:
        say(clean(f"{folder / problem.file}{str(problem).removeprefix(problem.file)}"))
    for draft in drafts:
        say(clean(f"ok: {draft.name} {draft.version}, sha256 {draft.sha256}"))
    return ExitCode.FAILURE if problems else ExitCode.OK


def bundle_of(path: Path) -> tuple[Path, dict[str, str]]:
    """Return the bundle's folder and files; a single definition is read with what lies beside it, save other definitions.

    Raises:
        BundleError: The path cannot be read.
    """
    if not path.is_file():
        return path, read_bundle(path)
    alone = read_bundle(path)
    beside = [file for file in path.parent.rglob("*") if file.is_file()][: _FILES_MAX + 1]
    if len(beside) > _FILES_MAX:
        return path.parent, alone
    files = read_bundle(path.parent)
    others = [name for name, text in files.items() if name != path.name and name.endswith((".yaml", ".yml")) and _DEFINITION.search(text)]
    return path.parent, {name: text for name, text in {**files, **alone}.items() if name not in others}


async def _checked(files: dict[str, str]) -> tuple[list[DefinitionDraft], list[Problem]]:
    toolbox = build_toolbox(environment=PlatformSettings().environment)
    try:
        return YamlBundleReader().read(files, tools=toolbox.registry.specs())
    finally:
        await toolbox.aclose()


def _with_path(folder: Path, problem: Problem) -> dict[str, JsonValue]:
    return {**problem.model_dump(mode="json"), "file": str(folder / problem.file)}
