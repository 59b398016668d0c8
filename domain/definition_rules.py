"""The meaning of a definition: are its tools, expressions, approvals and models right together? Pure.

Grammar is `domain/definition_parse.py`. Every mistake is noted; none stops the search for the next.
"""

from typing import Final

from pydantic import JsonValue

from domain.agent_uses import resolve_agents
from domain.agents import NO_AGENTS, AgentChoice
from domain.definition_keywords import near
from domain.definition_models import check_models
from domain.definition_parts import DocPath, Mistake, ParsedDefinition, Spot
from domain.definition_scope import OutOfScope, Scope, walk
from domain.errors import ExpressionFailed
from domain.expression_advice import advice
from domain.expressions import Reference, chains, check_expression, holes, references
from domain.model_table import NO_ALIASES, ModelTable
from domain.program import AgentStep, ApproveStep, CallStep, Step
from domain.provenance import conversation_behind
from domain.saga_rules import check_sagas
from domain.schemas import validate
from domain.tools import ToolSpec
from domain.versions import newest

NEVER_UNBOUND: Final = frozenset({"amount", "recipient", "url"})
"""Arguments that no step after an approval may feed, whatever the tool declares (DESIGN §7)."""


def check_definition(
    parsed: ParsedDefinition, tools: list[ToolSpec], agents: AgentChoice = NO_AGENTS, models: ModelTable = NO_ALIASES
) -> list[Mistake]:
    """Return what is wrong with the meaning of a definition whose grammar is right; registered agents are put into its steps."""
    mistakes = resolve_agents(parsed, agents)
    pinned = pin_tools(parsed, tools, mistakes)
    scope = Scope(parsed, pinned)
    for spot in parsed.spots:
        mistakes.extend(_check_template(spot.template, spot.path, spot, scope))
    mistakes.extend(check_sagas(parsed))
    for step in walk(parsed.steps):
        place = parsed.places[step.path]
        if isinstance(step, ApproveStep):
            mistakes.extend(_check_approval(step, (*place, "approve"), parsed, scope, pinned))
        elif isinstance(step, CallStep):
            mistakes.extend(_check_call(step, place, pinned))
        elif isinstance(step, AgentStep):
            mistakes.extend(_check_model(step, (*place, "agent", "model")) or check_models(step, (*place, "agent"), parsed, scope, models))
    return mistakes


def pin_tools(parsed: ParsedDefinition, tools: list[ToolSpec], mistakes: list[Mistake]) -> dict[str, ToolSpec]:
    """Return the newest version of each tool that lies in every range the definition names, and note what is unknown."""
    by_name: dict[str, dict[str, ToolSpec]] = {}
    ranges: dict[str, dict[str, None]] = {}  # each once, in order
    for use in parsed.tools:
        ranges.setdefault(use.name, {}).update({use.range: None} if use.range else {})
    for tool in tools:
        by_name.setdefault(tool.name, {})[tool.version] = tool
    pinned: dict[str, ToolSpec] = {}
    for use in parsed.tools:
        versions = by_name.get(use.name)
        if versions is None:
            mistakes.append(Mistake(use.path, f"there is no tool `{use.name}`", near(use.name, by_name)))
            continue
        best = newest(ranges[use.name], list(versions))
        if best is None:
            known = ", ".join(sorted(versions))
            wanted = " and ".join(f"`{text}`" for text in ranges[use.name])
            mistakes.append(Mistake(use.path, f"no version of `{use.name}` lies in {wanted}; there is {known}", f"{use.name}@{known}"))
        else:
            pinned[use.name] = versions[best]
    return pinned


def _check_template(template: JsonValue, path: DocPath, spot: Spot, scope: Scope) -> list[Mistake]:
    if isinstance(template, str):
        return _check_text(template, path, spot, scope)
    if isinstance(template, list):
        return [mistake for index, item in enumerate(template) for mistake in _check_template(item, (*path, index), spot, scope)]
    if isinstance(template, dict):
        return [mistake for key, item in template.items() for mistake in _check_template(item, (*path, key), spot, scope)]
    return []


def _check_text(text: str, path: DocPath, spot: Spot, scope: Scope) -> list[Mistake]:
    try:
        found = holes(text)
    except ExpressionFailed as error:
        return [Mistake(path, error.detail)]
    return [mistake for index, hole in enumerate(found) for mistake in _check_hole(hole.source, (path, index), spot, scope)]


def _check_hole(source: str, place: tuple[DocPath, int], spot: Spot, scope: Scope) -> list[Mistake]:
    path, index = place
    wants_condition = spot.use == "condition"
    flaws = check_expression(source)
    if flaws:
        return [_flaw(path, index, (flaw.line, flaw.column), flaw.message, advice(flaw.message)) for flaw in flaws]
    types: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for reference in chains(source):
        try:
            types.update(scope.type_of(reference, spot)[1])
        except OutOfScope as error:
            mistakes.append(_flaw(path, index, reference.position, f"{_shown(reference)}: {error}", error.instead))
    if mistakes:
        return mistakes
    typed = check_expression(source, want_bool=wants_condition, types=types)
    return [_flaw(path, index, (flaw.line, flaw.column), flaw.message, advice(flaw.message)) for flaw in typed]


def _flaw(path: DocPath, hole: int, inner: tuple[int, int], message: str, instead: str = "") -> Mistake:
    return Mistake(path, message, instead, hole=hole, inner=inner)


def _shown(reference: Reference) -> str:
    return f"`{'.'.join((reference.root, *reference.path))}`"


def _check_call(step: CallStep, place: DocPath, pinned: dict[str, ToolSpec]) -> list[Mistake]:
    found = _check_arguments(step.arguments, (*place, "with"), pinned.get(step.tool))
    if step.compensate is not None:
        found += _check_arguments(step.compensate.arguments, (*place, "compensate", "with"), pinned.get(step.compensate.tool))
    return found


def _check_arguments(arguments: JsonValue, path: DocPath, tool: ToolSpec | None) -> list[Mistake]:
    """Check what is known before the run: names, missing arguments, and values without `${ }`."""
    if tool is None or not isinstance(arguments, dict):
        return []
    properties = tool.input_schema.get("properties")
    declared = properties if isinstance(properties, dict) else {}
    required = tool.input_schema.get("required")
    missing = [name for name in required if isinstance(name, str) and name not in arguments] if isinstance(required, list) else []
    mistakes = [Mistake(path, f"the tool `{tool.name}` needs the argument `{name}`", f"{name}: …", on_key=True) for name in missing]
    for name, value in arguments.items():
        schema = declared.get(name)
        if schema is None and declared and tool.input_schema.get("additionalProperties") is False:
            mistakes.append(Mistake((*path, name), f"the tool `{tool.name}` has no argument `{name}`", near(name, declared), on_key=True))
        elif isinstance(schema, dict) and not _has_holes(value) and "$ref" not in str(schema):
            mistakes.extend(Mistake((*path, name), f"`{name}` does not fit the tool: {text}") for text in validate(schema, value)[:1])
    return mistakes


def _has_holes(value: JsonValue) -> bool:
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, list):
        return any(_has_holes(item) for item in value)
    return isinstance(value, dict) and any(_has_holes(item) for item in value.values())


def _check_model(step: AgentStep, path: DocPath) -> list[Mistake]:
    try:
        reads = [root for text in (step.model, *(one.model for one in step.fallbacks)) for root, _ in references(text)]
    except ExpressionFailed:
        return []
    if any(root != "config" for root in reads):
        return [Mistake(path, "the model is chosen when the run starts, from `config` only", "${ config.model }")]
    return []


def _check_approval(step: ApproveStep, path: DocPath, parsed: ParsedDefinition, scope: Scope, pinned: dict[str, ToolSpec]) -> list[Mistake]:
    mistakes: list[Mistake] = []
    bound: list[CallStep] = []
    for index, name in enumerate(step.binds):
        try:
            bound.append(_bound_call(name, step, parsed, scope))
        except OutOfScope as error:
            mistakes.append(Mistake((*path, "binds", index), str(error), error.instead))
    for call in bound:
        mistakes.extend(_check_unbound(call, step, path, scope, pinned))
    guarded: list[Step] = list(bound) if step.binds else [s for s in scope.steps.values() if _runs_after(s.path, step.path, parsed)]
    if step.agent_answers and conversation_behind(parsed.steps, step) is None:
        message = "`questions: agent` needs an agent step before: its output feeds no bound argument, nor the title"
        mistakes.append(Mistake((*path, "questions"), message, "questions: requester"))
    world = sorted({tool for guard in guarded for tool in _tools_of(guard) if tool in pinned and pinned[tool].effect_class.changes_world})
    if step.on_timeout == "approve" and world:
        message = f"`on_timeout: approve` is refused because this gate lets {', '.join(world)} change the world without a person"
        mistakes.append(Mistake((*path, "on_timeout"), message, "on_timeout: reject"))
    return mistakes


def _tools_of(step: Step) -> list[str]:
    if isinstance(step, CallStep):
        return [step.tool]
    return step.tools if isinstance(step, AgentStep) else []


def _runs_after(path: str, gate: str, parsed: ParsedDefinition) -> bool:
    return parsed.order.index(path) > parsed.order.index(gate)


def _bound_call(name: str, step: ApproveStep, parsed: ParsedDefinition, scope: Scope) -> CallStep:
    target = scope.steps.get(name)
    calls = [path for path, other in scope.steps.items() if isinstance(other, CallStep)]
    if target is None:
        raise OutOfScope(f"`binds` names `{name}`, and there is no such step", near(name, calls))
    if not isinstance(target, CallStep):
        inside = [path for path in calls if path.startswith(f"{name}.")]
        raise OutOfScope(f"`binds` names `{name}`, which is no `call` step", f"binds: [{', '.join(inside)}]" if inside else "")
    if not _runs_after(name, step.path, parsed):
        raise OutOfScope(f"`binds` names `{name}`, which runs before this approval")
    if not isinstance(target.arguments, dict):
        raise OutOfScope(f"`binds` names `{name}`, whose `with` is one expression; write a mapping, so that a reviewer sees each argument")
    return target


def unbound_arguments(call: CallStep, gate: str, parsed_order: list[str]) -> list[str]:
    """Return the top-level arguments of a bound call that the gate itself or a later step feeds."""
    if not isinstance(call.arguments, dict):
        return []
    # What runs before the gate is all that stands before it and does not contain it.
    known = {path for path in parsed_order[: parsed_order.index(gate)] if not gate.startswith(f"{path}.")}
    return [name for name, value in call.arguments.items() if _reads_later(value, known)]


def _reads_later(value: JsonValue, known: set[str]) -> bool:
    try:
        reads = [dotted for root, dotted in references(value) if root == "steps"]
    except ExpressionFailed:
        return False
    return any(not any(dotted == path or dotted.startswith(f"{path}.") for path in known) for dotted in reads)


def _check_unbound(call: CallStep, step: ApproveStep, path: DocPath, scope: Scope, pinned: dict[str, ToolSpec]) -> list[Mistake]:
    tool = pinned.get(call.tool)
    refused = NEVER_UNBOUND | set(_targets(tool) if tool else ())
    later = [name for name in unbound_arguments(call, step.path, list(scope.steps)) if name in refused]
    return [
        Mistake(
            (*path, "binds", step.binds.index(call.path)),
            f"a step after this approval feeds `{name}` of `{call.path}`, so that no reviewer would see it",
            "compute it in a step before the approval",
        )
        for name in later
    ]


def _targets(tool: ToolSpec) -> list[str]:
    """The arguments of a tool that a reviewer must see: those that choose a target, by their first name."""
    return [name.partition(".")[0] for name in (*tool.bindable, *tool.sensitive_arguments, *tool.url_arguments)]
