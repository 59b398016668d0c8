"""Compiles a registered definition for one run: tools pinned, config fixed, projections computed. Pure.

Nothing resolves after this within a run (JOURNAL §10).
"""

import hashlib

from pydantic import JsonValue, ValidationError

from domain.agents import NO_AGENTS, AgentChoice
from domain.declared_tools import declaration_of
from domain.definition_parse import parse_definition
from domain.definition_parts import Mistake, ParsedDefinition, Spot
from domain.definition_rules import check_definition, pin_tools, unbound_arguments
from domain.definition_scope import Scope, inner_steps
from domain.errors import ExpressionFailed, InvalidDefinition
from domain.expressions import ENGINE, references, render
from domain.model_table import NO_ALIASES, ModelAlias, ModelTable
from domain.program import AgentStep, ApproveStep, CallStep, DoStep, PinnedTool, Program, SagaStep, SetStep, Step, SwitchStep
from domain.registry import DefinitionDraft
from domain.resolved_models import resolved_chain, unfit
from domain.schemas import validate
from domain.tools import ToolSpec
from domain.untrusted_input import untrusted_parts


def compile_program(
    definition: DefinitionDraft,
    *,
    tools: list[ToolSpec],
    config: dict[str, JsonValue],
    agents: AgentChoice = NO_AGENTS,
    models: ModelTable = NO_ALIASES,
) -> Program:
    """Return the program of one run; `config` overrides the definition's defaults, mapping by mapping. Aliases are resolved.

    Raises:
        InvalidDefinition: a tool, an agent or a version is gone, the config breaks its schema or names no model, or the definition's
            document no longer passes the checks of this version.
    """
    parsed = parse_definition(definition.document)
    tools = with_bundled(tools, definition.tools)
    _refuse(definition, parsed.mistakes or check_definition(parsed, tools, agents, models))
    merged = merged_config(definition.config_defaults, config)
    broken = validate(definition.config_schema, merged)
    if broken:
        raise InvalidDefinition(f"the config of {definition.name} {definition.version} does not fit its schema: {'; '.join(broken)}")
    pinned = pin_tools(parsed, tools, [])
    scope = Scope(parsed, pinned)
    steps = [_final(step, scope, merged, models) for step in parsed.steps]
    projections, input_projection = project_references(parsed, scope)
    return Program(
        name=definition.name,
        version=definition.version,
        sha256=definition.sha256,
        expression_engine=ENGINE,
        steps=steps,
        output=parsed.output,
        config=merged,
        tools={name: _pinned(pinned[name], definition.tools) for name in sorted(pinned)},
        projections=projections,
        input_projection=input_projection,
        execution=parsed.execution,
        subject=parsed.subject,
        doubts=parsed.doubts,
        untrusted_input=untrusted_parts(definition.input_schema),
        budget=parsed.budget,
    )


def with_bundled(tools: list[ToolSpec], declared: list[dict[str, JsonValue]]) -> list[ToolSpec]:
    """Return `tools` and those a bundle declares, which win over others of the same name and version.

    Raises:
        InvalidDefinition: a declaration is none.
    """
    try:
        own = [declaration_of(tool).spec() for tool in declared]
    except ValidationError as error:
        raise InvalidDefinition(f"a tool of the bundle is wrong: {error.errors()[0]['msg']}") from error
    taken = {(tool.name, tool.version) for tool in own}
    return [*own, *(tool for tool in tools if (tool.name, tool.version) not in taken)]


def project_references(parsed: ParsedDefinition, scope: Scope) -> tuple[dict[str, list[str]], list[str]]:
    """Return the output fields each step must give (by step path), and the fields of the run's input, that expressions read."""
    outputs: dict[str, set[str]] = {}
    inputs: set[str] = set()
    for spot in parsed.spots:
        if spot.use == "subject":  # evaluated by the gateway; what only it reads does not travel with the run
            continue
        for root, dotted in references(spot.template):
            path = tuple(dotted.split(".")) if dotted else ()
            if root == "input":
                inputs.add(dotted)
            elif root == "steps":
                _read_step(path, scope, outputs)
            elif root == "self" and (not path or path[0] == "output"):
                _read_own(path[1:], spot, scope, outputs)
    for step in scope.steps.values():
        if isinstance(step, SetStep):
            outputs[step.path] = {""}
    return {path: _minimal(fields) for path, fields in sorted(outputs.items())}, _minimal(inputs)


def _read_step(path: tuple[str, ...], scope: Scope, outputs: dict[str, set[str]]) -> None:
    target, rest = scope.split(path)
    if target is None:
        for step in scope.steps.values():
            _read_output(step, (), scope, outputs)
    elif not rest:
        for inner in _with_inner(scope.steps[target]):
            _read_output(inner, (), scope, outputs)
    elif rest[0] == "output":
        _read_output(scope.steps[target], rest[1:], scope, outputs)


def _read_own(path: tuple[str, ...], spot: Spot, scope: Scope, outputs: dict[str, set[str]]) -> None:
    step = scope.steps[spot.owner]
    if spot.use == "output_as":
        _read_raw(step, path, scope, outputs)
    else:
        _read_output(step, path, scope, outputs)


def _read_output(step: Step, path: tuple[str, ...], scope: Scope, outputs: dict[str, set[str]]) -> None:
    """Note a read of a final output; with `output.as` the workflow makes it from what that reads, so nothing is added."""
    if step.output_as is None:
        _read_raw(step, path, scope, outputs)


def _read_raw(step: Step, path: tuple[str, ...], scope: Scope, outputs: dict[str, set[str]]) -> None:
    if not isinstance(step, DoStep | SagaStep | SwitchStep):
        outputs.setdefault(step.path, set()).add(".".join(path))
        return
    for inner in inner_steps(step):
        if not path or inner.path == f"{step.path}.{path[0]}":
            _read_output(inner, path[1:], scope, outputs)


def _with_inner(step: Step) -> list[Step]:
    return [step, *(found for inner in inner_steps(step) for found in _with_inner(inner))]


def _minimal(fields: set[str]) -> list[str]:
    """Drop every field that lies inside another one."""
    if "" in fields:
        return [""]
    return sorted(field for field in fields if not any(field.startswith(f"{other}.") for other in fields))


def _final(step: Step, scope: Scope, config: dict[str, JsonValue], models: ModelTable) -> Step:
    """Return the step with what is known at the start: its model, its prompt's digest, its approval's unbound arguments."""
    match step:
        case AgentStep():
            digest = step.instructions_sha256 if step.pin else hashlib.sha256(step.instructions.encode()).hexdigest()
            return step.model_copy(update={**_chain(step, scope, config, models), "instructions_sha256": digest})
        case ApproveStep():
            return step.model_copy(update={"unbound": _unbound(step, scope)})
        case SwitchStep():
            cases = [
                case.model_copy(update={"steps": [_final(inner, scope, config, models) for inner in case.steps]}) for case in step.cases
            ]
            return step.model_copy(update={"cases": cases})
        case DoStep() | SagaStep():
            return step.model_copy(update={"steps": [_final(inner, scope, config, models) for inner in step.steps]})
        case _:
            return step


def _unbound(step: ApproveStep, scope: Scope) -> list[str]:
    calls = [call for call in (scope.steps[name] for name in step.binds) if isinstance(call, CallStep)]
    return [f"{call.path}.{name}" for call in calls for name in unbound_arguments(call, step.path, scope.order)]


def _chain(step: AgentStep, scope: Scope, config: dict[str, JsonValue], models: ModelTable) -> dict[str, object]:
    """The models of an agent: aliases give way to what they stand for, with the chain behind them before the step's own.

    Raises:
        InvalidDefinition: one of them cannot do what the step asks.
    """
    model, chain = resolved_chain(step, lambda text: _meant(text, step, config, models))
    resolved: dict[str, object] = {"model": model, "fallbacks": chain}
    problems = unfit(step.model_copy(update=resolved), models, scope)
    if problems:
        raise InvalidDefinition(f"step {step.path}: {'; '.join(problems)}", where=step.path)
    return resolved


def _meant(text: str, step: AgentStep, config: dict[str, JsonValue], models: ModelTable) -> ModelAlias:
    try:
        model = render(text, {"config": config})
    except ExpressionFailed as error:
        raise InvalidDefinition(f"the model of step {step.path} is not known: {error.detail}", where=step.path) from error
    meant = models.resolve(model) if isinstance(model, str) else None
    if meant is None:
        raise InvalidDefinition(
            f"the model of step {step.path} is {model!r}; write provider/name into the config, or set that alias", where=step.path
        )
    return meant


def _pinned(tool: ToolSpec, declared: list[dict[str, JsonValue]]) -> PinnedTool:
    own = next((d for d in declared if d["name"] == tool.name and d.get("version", "1.0.0") == tool.version), None)
    known = {name: getattr(tool, name) for name in PinnedTool.model_fields if name != "declaration"}
    return PinnedTool.model_validate({**known, "declaration": own})


def merged_config(defaults: dict[str, JsonValue], given: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a definition's config with what a run's start overrides, mappings member by member."""
    merged = dict(defaults)
    for key, value in given.items():
        old = merged.get(key)
        merged[key] = merged_config(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _refuse(definition: DefinitionDraft, mistakes: list[Mistake]) -> None:
    if mistakes:
        first = ".".join(str(part) for part in mistakes[0].path)
        detail = "; ".join(f"{'.'.join(str(part) for part in mistake.path)}: {mistake.message}" for mistake in mistakes)
        raise InvalidDefinition(f"{definition.name} {definition.version}: {detail}", where=first)
