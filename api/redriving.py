"""Redrives and forks: rebuild the state from what PostgreSQL knows, open or accept the run, start it (JOURNAL §2.7)."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

from pydantic import JsonValue

from api.context import RequestContext
from api.continuing import start_continuation, start_message
from api.deps import GatewayDeps, instant
from api.derived_ids import run_id_for, start_print
from api.fitting import check_fit
from api.lineage_views import ForkBody, RedriveBody
from api.starting import Prepared, prepare
from domain.canonical import digest_hex
from domain.compile import merged_config
from domain.errors import Forbidden, InvalidInput, NotRedrivable, Unavailable
from domain.expressions import ENGINE
from domain.labels import input_labels
from domain.lineage import REDRIVABLE, ForkOrder, RedriveOrder
from domain.principals import Role
from domain.program import ApproveStep, Program
from domain.projection import unproject
from domain.rebuild import Rebuilt, rebuild_for_fork, rebuild_for_redrive
from domain.registry import DefinitionDraft
from domain.state import RunContext, Tick
from domain.step_changes import StepChange, changed_definition
from domain.step_paths import paths_of
from domain.stepper import walk
from domain.stores import NewRun, RunRow
from workflows.messages import RunInput

CLOSING_POLLS = 20
"""How often Temporal is asked whether the execution of a run that has ended is closed, too."""

CLOSING_POLL_S = 0.1

MAY_ALLOW_EFFECTS = frozenset({Role.OPERATOR, Role.ADMIN})
"""Who may let a fork touch the world again."""

FORK_CHANGES = "fork_changes"
"""The key, beside the workflow's input, of the changes that a fork and the forks it comes from were made with."""


class Source(NamedTuple):
    """What a run was made of: its registered definition, the changes of the forks it comes from, its input and its config.

    `forked` is the program of a fork, None for a run that is none.
    """

    definition: DefinitionDraft
    changes: list[StepChange]
    given: JsonValue
    config: dict[str, JsonValue]
    forked: Program | None


class Redriving:
    """Redrives and forks runs."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    async def redrive(self, context: RequestContext, run: str, body: RedriveBody) -> tuple[RunRow, Rebuilt]:
        """Open a run again in its next epoch and start it. Temporal being down after that is left to the sweeper.

        Raises:
            NotFound: no such run.
            NotRedrivable: it is open, ended well, or would fail again at once.
            ReferenceMissing: an outcome it needs is erased.
            Unavailable: Temporal does not answer, or the former execution is still closing.
        """

        def keep() -> None:
            context.kept = True

        return await self.reopen(context.principal.tenant, run, by=context.principal.id, reason=body.reason, kept=keep)

    async def reopen(self, tenant: str, run: str, *, by: str, reason: str, kept: Callable[[], None]) -> tuple[RunRow, Rebuilt]:
        """Redrive for somebody who made no request; `kept` is called once the run is open again.

        Raises:
            NotRedrivable: it is open, ended well, or would fail again at once.
            NotFound, ReferenceMissing, Unavailable: as `redrive`.
        """
        row = await self._deps.runs.get(tenant, run)
        if row.status not in REDRIVABLE or row.epoch is None:
            raise NotRedrivable(f"run {run} is {row.status}; only a run that began and ended badly can be redriven")
        after = await self._ended(row)
        source = await self._source(row)
        past = await self._deps.lineage.past(tenant, run)
        prepared = await self._prepared(tenant, changed_definition(source.definition, source.changes), source.given, source.config)
        program = source.forked or prepared.program.model_copy(update={"priced_at": row.created_at})
        rebuilt = rebuild_for_redrive(program, _run_context(row, row.principal, prepared), past, self._tick())
        start = RunInput(
            run=run,
            tenant=tenant,
            epoch=rebuilt.state.epoch,
            principal=row.principal,
            correlation_id=row.correlation_id,
            program=program,
            input_fields=prepared.input_fields,
            input_labels=input_labels(row.principal, row.input_labels),
            state=rebuilt.state.model_dump(mode="json"),
        )
        order = RedriveOrder(
            tenant=tenant,
            run=run,
            epoch=past.epoch,
            fact_head=past.fact_head,
            principal=by,
            at=instant(self._deps.now()),
            reason=reason,
            step=rebuilt.step,
            kept=len(rebuilt.kept),
            after=after,
            start=start_message(start),
        )
        opened = await self._deps.lineage.redrive(order)
        kept()
        await self._start(tenant, run, start.epoch)
        return opened, rebuilt

    async def fork(self, context: RequestContext, run: str, body: ForkBody) -> tuple[RunRow, Rebuilt]:
        """Accept a new run that goes on at a step of this one, and start it.

        Raises:
            NotFound: no such run.
            UnreachedStep: no such step, or the run has not come to it.
            Forbidden: effects are allowed by somebody who may not.
            Mistaken: the changed config breaks its schema.
            InvalidInput: a change does not fit its step, or effects are allowed that an approval before the fork binds.
            InvalidDefinition: the changed definition does not pass its checks.
            ReferenceMissing: an outcome it needs is erased.
        """
        caller = context.principal
        if body.allow_effects and caller.role not in MAY_ALLOW_EFFECTS:
            raise Forbidden("only an operator or admin may allow effects after a fork; leave allow_effects out to have them simulated")
        parent = await self._deps.runs.get(caller.tenant, run)
        source = await self._source(parent)
        changes = [*source.changes, StepChange(at=body.at, changes=body.changes)]
        changed = changed_definition(source.definition, changes)
        before = await self._prepared(caller.tenant, changed, source.given, source.config)
        config = merged_config(source.config, body.changes.config or {})
        check_fit("/changes/config", changed, changed.config_schema, merged_config(changed.config_defaults, config))
        prepared = await self._prepared(caller.tenant, changed, source.given, config) if body.changes.config else before
        if body.allow_effects:
            _refuse_bound(prepared.program, body.at)
        past = await self._deps.lineage.past(caller.tenant, run)
        who = _run_context(parent, caller.id, before)
        rebuilt = rebuild_for_fork(before.program, who, past, body.at, self._tick(), simulate=not body.allow_effects)
        new = self._new_run(context, parent, body, source.given, config)
        start = RunInput(
            run=new.run,
            tenant=new.tenant,
            principal=new.principal,
            correlation_id=new.correlation_id,
            program=prepared.program.model_copy(update={"priced_at": instant(self._deps.now())}),
            input_fields=prepared.input_fields,
            input_labels=input_labels("", new.input_labels),
            state=rebuilt.state.model_dump(mode="json"),
        )
        made: list[JsonValue] = [change.model_dump(mode="json") for change in changes]
        order = ForkOrder(
            run=new,
            parent=run,
            at=body.at,
            effects="allowed" if body.allow_effects else "simulated",
            changed=body.changes.named(),
            kept=len(rebuilt.kept),
            start={**start_message(start), FORK_CHANGES: made},
        )
        row = await self._deps.lineage.fork(order)
        context.kept = True
        await self._start(new.tenant, new.run, start.epoch)
        return row, rebuilt

    def _new_run(self, context: RequestContext, parent: RunRow, body: ForkBody, given: JsonValue, config: dict[str, JsonValue]) -> NewRun:
        """The fork's row; the same Idempotency-Key means the same run."""
        tenant, key = parent.tenant, context.idempotency_key
        asked: dict[str, JsonValue] = {"parent": parent.run, "body": body.model_dump(mode="json"), "principal": context.principal.id}
        return NewRun(
            tenant=tenant,
            run=run_id_for(self._deps.run_id_key, tenant, f"fork\0{parent.run}\0{key}") if key else self._deps.new_id("run"),
            definition=parent.definition,
            version=parent.version,
            definition_sha256=parent.definition_sha256,
            principal=context.principal.id,
            correlation_id=context.correlation_id,
            fingerprint=start_print(self._deps.run_id_key, tenant, "standfast:fork:v1", asked),
            subject=parent.subject or parent.run,
            input=given,
            config=config,
            expression_engine=ENGINE,
            input_labels=input_labels(parent.principal, parent.input_labels).get("", []),
        )

    async def program_of(self, row: RunRow) -> Program:
        """Return what a run runs. Raises: ReferenceMissing, if what it was given is erased."""
        source = await self._source(row)
        return source.forked or (await self._prepared(row.tenant, source.definition, source.given, source.config)).program

    async def _source(self, row: RunRow) -> Source:
        definition = await self._deps.definitions.get(row.tenant, row.definition, row.version)
        given, config = await self._deps.runs.input_of(row.tenant, row.run)
        start = await self._deps.lineage.forked_start(row.tenant, row.run)
        if start is None:
            return Source(definition, [], given, config, None)
        changes = [StepChange.model_validate(change) for change in cast("list[JsonValue]", start[FORK_CHANGES])]
        return Source(definition, changes, given, config, RunInput.model_validate(start).program)

    async def _prepared(self, tenant: str, definition: DefinitionDraft, given: JsonValue, config: dict[str, JsonValue]) -> Prepared:
        return await prepare(self._deps, tenant, definition, run_input=given, config=config)

    def _tick(self) -> Tick:
        entropy = digest_hex("standfast:rebuild:v1", self._deps.new_id("run"))[:32]
        return Tick(now=self._deps.now().isoformat(timespec="microseconds"), entropy=entropy)

    async def _ended(self, row: RunRow) -> str:
        """Return the Temporal run that has ended, '' when Temporal has forgotten it.

        Raises:
            Unavailable: it has not ended yet: a run's row is closed just before its execution is.
        """
        for _ in range(CLOSING_POLLS):
            found = await self._deps.temporal.describe(row.tenant, row.run)
            if found is None:
                return ""
            if found.closed:
                return found.temporal_run_id
            await asyncio.sleep(CLOSING_POLL_S)
        raise Unavailable(f"the execution of run {row.run} has not ended in Temporal yet; try again", retry_after_s=1)

    async def _start(self, tenant: str, run: str, epoch: int) -> None:
        try:
            await start_continuation(self._deps, tenant, run, epoch)
        except Unavailable:
            return  # the sweeper starts it


def _run_context(row: RunRow, principal: str, prepared: Prepared) -> RunContext:
    labels = input_labels(row.principal, row.input_labels)
    return RunContext(tenant=row.tenant, run=row.run, principal=principal, input=unproject(prepared.input_fields), input_labels=labels)


def _refuse_bound(program: Program, at: str) -> None:
    """Refuse effects whose approval was the parent's: a decision names one run (DESIGN §7).

    Raises:
        InvalidInput: fork at the approval, so that it is asked again.
    """
    order = paths_of(program)
    after = set(order[order.index(at) :])
    for step in walk(program.steps):
        if isinstance(step, ApproveStep) and step.path not in after and (bound := [path for path in step.binds if path in after]):
            raise InvalidInput(
                f"{', '.join(bound)} needs the approval {step.path!r}, which was given to the parent only: fork at {step.path!r} or before,"
                " so that people are asked in the new run",
                where="/at",
            )
