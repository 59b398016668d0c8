"""`standfast replay`: plays golden traces offline and says what differs."""

import asyncio
from pathlib import Path

from pydantic import JsonValue

from cli.evaluating import load_trace
from cli.exit_codes import ExitCode
from cli.local.validate import bundle_of
from cli.options import ReplayOptions
from cli.screen import clean, note, say, show_json
from domain.compile import compile_program
from domain.errors import InvalidInput, StandfastError
from domain.registry import DefinitionDraft
from domain.tools import ToolSpec
from standfast_client import BundleError
from wiring.gateway import YamlBundleReader
from wiring.golden import Replay, Replayed
from wiring.settings import PlatformSettings
from wiring.tools import build_toolbox


def run(options: ReplayOptions) -> int:
    """Play every trace and return the exit code."""
    try:
        found = asyncio.run(_played(options))
    except (StandfastError, BundleError) as error:
        note(clean(f"error: {error}"))
        return ExitCode.USAGE
    if options.json_output:
        told: list[JsonValue] = [{"trace": name, "status": one.status, "differences": list(one.differences)} for name, one in found]
        show_json(told)
    else:
        for name, one in found:
            say(clean(f"{name}: {'; '.join(one.differences) if one.differences else 'as recorded'}"))
    return ExitCode.REGRESSED if any(one.differences for _, one in found) else ExitCode.OK


async def _played(options: ReplayOptions) -> list[tuple[str, Replayed]]:
    """Play the traces, one after the other.

    Raises:
        InvalidInput: a trace, a script or a definition cannot be used; nothing is played then.
    """
    toolbox = build_toolbox(environment=PlatformSettings().environment)
    try:
        tools = toolbox.registry.specs()
        drafts, problems = YamlBundleReader().read(bundle_of(options.bundle)[1], tools=tools)
    finally:
        await toolbox.aclose()
    if problems:
        raise InvalidInput("\n".join(map(str, problems)))
    return [await _one(place, {draft.name: draft for draft in drafts}, tools) for place in _places(options.traces)]


async def _one(place: Path, drafts: dict[str, DefinitionDraft], tools: list[ToolSpec]) -> tuple[str, Replayed]:
    """Play one trace.

    Raises:
        InvalidInput: it is of no definition of the bundle.
    """
    trace, scripts = load_trace(place)
    draft = drafts.get(trace.definition.partition("@")[0])
    if draft is None:
        raise InvalidInput(f"{place}: the bundle has no definition {trace.definition!r}; it has {', '.join(drafts) or 'none'}")
    program = compile_program(draft, tools=tools, config=trace.config)
    return trace.name, await Replay(program, trace, scripts).play()


def _places(folder: Path) -> list[Path]:
    """Return the folders of the traces.

    Raises:
        InvalidInput: there are none.
    """
    if (folder / "trace.json").is_file():
        return [folder]
    places = sorted(path.parent for path in folder.glob("*/trace.json"))
    if not places:
        raise InvalidInput(f"there is no trace in {folder}: record some with `standfast eval DATASET --record {folder}`")
    return places
