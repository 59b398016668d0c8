"""Redrives and forks on PostgreSQL: each opens its run and stores its start in one transaction (JOURNAL §2.7, §8)."""

import contextlib
import json
from typing import cast

from psycopg.types.numeric import Int4
from pydantic import JsonValue

from adapters.postgres.dead_letters import redriven_with_run
from adapters.postgres.lineage_queries import (
    ADD_CONTINUATION,
    CLAIM,
    FORKED_START,
    MARK_FORK,
    MARK_STARTED,
    OPEN_AGAIN,
    REQUESTS_OF_RUN,
    TRY_FAILED_AGAIN,
    UNSTARTED,
)
from adapters.postgres.payloads import PostgresPayloadStore
from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.projections import approval_place, comment_place
from adapters.postgres.runs import PostgresRunStore, append_body
from adapters.postgres.sealed_errors import effect_error_place, open_error
from adapters.postgres.sealing import SealedPayload, open_text
from adapters.postgres.select_texts import APPROVALS_OF_RUN, EFFECTS_OF_RUN, FACTS_OF_RUN, RUN_BY_ID, TASKS_OF_RUN
from adapters.postgres.values import rfc3339, rfc3339_or_none
from adapters.postgres.vault import Vault
from domain.approval import OpenApproval
from domain.effects import EffectKey, EffectState
from domain.envelope import Usage
from domain.errors import NotFound, NotRedrivable, ReferenceMissing
from domain.ledger import EntryBody, Kind
from domain.lineage import REDRIVABLE, REQUESTS, Continuation, ForkOrder, Lineage, RedriveOrder, RunRequest
from domain.past import COMPENSATE, KnownAnswer, KnownApproval, KnownEffect, KnownSignal, KnownTask, Past
from domain.signals import Signal
from domain.state import State
from domain.stores import PayloadCipher, RunRow
from domain.tasks import HUMAN

SIGNALS = frozenset({Kind.SIGNAL_RECEIVED, Kind.SIGNAL_KEPT})
"""The facts that say which signals a run was given."""

BY_HAND = frozenset({"failed_step", "in_doubt"})
"""Questions about a call of a step: whoever answers `happened` did it, or saw that it was done."""


class PostgresLineageStore:
    """Implements `LineageStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher | Vault, runs: PostgresRunStore, payloads: PostgresPayloadStore) -> None:
        self._db = db
        self._vault = Vault.over(db, cipher)
        self._runs = runs
        self._payloads = payloads

    async def past(self, tenant: str, run: str) -> Past:
        """Return all that is known of a run; outputs are read one by one, since a redrive is rare.

        Raises:
            NotFound: there is no such run.
            ReferenceMissing: an output is erased.
        """
        place = {"tenant": tenant, "run": run}
        async with self._db.tenant(tenant) as tx:
            row = _found(await tx.row(RUN_BY_ID, place), run)
            effects = await tx.rows(EFFECTS_OF_RUN, place)
            approvals = await tx.rows(APPROVALS_OF_RUN, place)
            tasks = await tx.rows(TASKS_OF_RUN, place)
            facts = await tx.rows(FACTS_OF_RUN, place)
        cipher = await self._vault.ciphers.of_run(tenant, run)
        start = await self.forked_start(tenant, run)
        told = [(fact, json.loads(bytes(fact["body"]))) for fact in facts]
        happened = {
            (task["step"], task["visit"], task["call"]): task
            for task in tasks
            if task["kind"] in BY_HAND and task["resolution"] == "happened" and task["completed_at"] is not None
        }
        return Past(
            run=run,
            epoch=row["epoch"] or 0,
            fact_head=row["fact_head"],
            fact_digest=facts[-1]["fact_digest"] if facts else "",
            effects=tuple([await self._stands(tenant, await self._effect(tenant, effect), happened) for effect in effects]),
            approvals=tuple(_approval(cipher, tenant, approval) for approval in approvals),
            answers=tuple(_answer(task) for task in tasks if task["kind"] == "failed_compensation" and task["state"] == "completed"),
            tasks=tuple([await self._worked(tenant, task) for task in tasks if task["kind"] == HUMAN and not task["own"]]),
            signals=tuple([await self._signal(tenant, fact, body["data"]) for fact, body in told if fact["kind"] in SIGNALS]),
            facts=frozenset((fact["kind"], fact["step"], body.get("visit")) for fact, body in told),
            call_facts=frozenset((fact["kind"], fact["step"], body.get("visit"), body["call"]) for fact, body in told if body.get("call")),
            surely_not=frozenset(
                (fact["step"], body["visit"])
                for fact, body in told
                if fact["kind"] == Kind.STEP_FAILED and fact["step"] is not None and body["data"].get("unknown") is False
            ),
            base=None if start is None else State.model_validate(start["state"]),
        )

    async def _effect(self, tenant: str, row: Row) -> KnownEffect:
        undo = str(row["call"]).partition(".")[0] == COMPENSATE
        output = await self._payload(tenant, row["output_ref"])
        request = await self._payload(tenant, row["request_ref"]) if undo else None
        same = {name: row[name] for name in ("step", "visit", "call", "subject", "digest", "effect_class")}
        key = EffectKey(tenant=tenant, run=row["run"], step=row["step"], visit=row["visit"], call=row["call"])
        return KnownEffect(
            **same,
            error=await open_error(self._vault.ciphers, tenant, key.run, effect_error_place(key), row["error"]),
            state=EffectState(row["state"]),
            started_at=rfc3339(row["started_at"]),
            ended_at=rfc3339_or_none(row["ended_at"]),
            output_ref=row["output_ref"],
            output_digest=row["output_digest"],
            output=output,
            request=request,
            usage=Usage.model_validate({name: row[name] for name in Usage.model_fields if name in row}),
        )

    async def _stands(self, tenant: str, effect: KnownEffect, happened: dict[tuple[str, int, str], Row]) -> KnownEffect:
        """Return an effect as it stands: one that a person did or saw is done, whatever its attempts came to."""
        task = happened.get((effect.step, effect.visit, effect.call))
        if task is None or effect.done:
            return effect
        output, ref = await self._payload(tenant, task["output_ref"]), task["output_ref"]
        done = {"state": EffectState.DONE, "error": None, "output": output, "output_ref": ref, "output_digest": None}
        return effect.model_copy(update={**done, "ended_at": rfc3339(task["completed_at"])})

    async def _signal(self, tenant: str, fact: Row, said: dict[str, str]) -> KnownSignal:
        content = await self._payload(tenant, said["payload"])
        held = content if isinstance(content, dict) else {}
        given: dict[str, JsonValue] = {"id": said["id"], "name": said["signal"], "ref": said["payload"], "source": fact["principal"]}
        signal = Signal.model_validate({**given, "payload": held.get("payload"), "key": held.get("key")})
        visit = json.loads(bytes(fact["body"])).get("visit")
        return KnownSignal(signal=signal, at=rfc3339(fact["recorded_at"]), step=fact["step"], visit=visit)

    async def _worked(self, tenant: str, task: Row) -> KnownTask:
        """Return a step's task; one whose answer is erased is as one that nobody completed."""
        known = KnownTask(step=task["step"], visit=task["visit"], call=task["call"], completed=task["resolution"] == "completed")
        if not known.completed:
            return known
        told = {"at": rfc3339(task["completed_at"]), "ref": task["output_ref"], "by": task["completed_by"] or ""}
        return known.model_copy(update={**told, "output": await self._payload(tenant, task["output_ref"])})

    async def _payload(self, tenant: str, ref: str | None) -> JsonValue:
        return None if ref is None else await self._payloads.get(tenant, ref)

    async def lineage(self, tenant: str, run: str) -> Lineage | None:
        """Return what a fork comes from.

        Raises:
            NotFound: there is no such run.
        """
        async with self._db.tenant(tenant) as tx:
            row = _found(await tx.row(RUN_BY_ID, {"tenant": tenant, "run": run}), run)
        if row["parent_run"] is None:
            return None
        return Lineage(parent=row["parent_run"], step=row["fork_step"], effects=row["fork_effects"])

    async def requests(self, tenant: str, run: str) -> tuple[RunRequest, ...]:
        """Return what people asked of a run, oldest first; a reason that is erased is not there."""
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(REQUESTS_OF_RUN, {"tenant": tenant, "run": run})
        return tuple([await self._request(tenant, run, row) for row in rows])

    async def _request(self, tenant: str, run: str, row: Row) -> RunRequest:
        reason: str | None = None
        if row["sealed"] is not None:
            with contextlib.suppress(ReferenceMissing):
                said = cast("dict[str, JsonValue]", await self._vault.open(tenant, run, row["ref"], row["sealed"]))
                reason = str(said["reason"])
        return RunRequest(what=REQUESTS[row["kind"]], by=row["principal"], at=rfc3339(row["recorded_at"]), reason=reason)

    async def forked_start(self, tenant: str, run: str) -> dict[str, JsonValue] | None:
        """Return the input that a fork's workflow began with, None for a run that is no fork.

        Raises:
            ReferenceMissing: it is erased.
        """
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(FORKED_START, {"tenant": tenant, "run": run})
        return None if row is None else cast("dict[str, JsonValue]", await self._payloads.get(tenant, row["start_ref"]))

    async def redrive(self, order: RedriveOrder) -> RunRow:
        """Open the run in its next epoch: row, failed effects, continuation and `gateway:run:redriven` in one transaction.

        Raises:
            NotRedrivable: its row is not what the order says any more.
        """
        place = {"tenant": order.tenant, "run": order.run}
        known = {"epoch": Int4(order.epoch), "fact_head": Int4(order.fact_head), "statuses": [status.value for status in REDRIVABLE]}
        async with self._db.tenant(order.tenant) as tx:
            opened = await tx.row(OPEN_AGAIN, {**place, **known})
            if opened is None:
                raise NotRedrivable(f"run {order.run} has changed meanwhile, or was redriven already: look at it again")
            await tx.execute(TRY_FAILED_AGAIN, place)
            going_on = Continuation(
                **place, epoch=opened["epoch"], kind="redrive", after=order.after, created_at=order.at, start=order.start
            )
            await self._continue(tx, going_on)
            data: dict[str, JsonValue] = {"from_epoch": order.epoch, "step": order.step, "kept": order.kept}
            body = _body(Kind.RUN_REDRIVEN, order.at, order.principal, opened, data)
            if order.reason:
                why = await self._store(tx, order.tenant, order.run, {"reason": order.reason})
                body = body.model_copy(update={"payload_digest": why.salted_digest, "data": {**data, "payload": why.ref}})
            await append_body(tx, order.tenant, order.run, body)
            await redriven_with_run(tx, self._vault, order.tenant, order.run, by=order.principal, reason=order.reason or None, at=order.at)
        return await self._runs.get(order.tenant, order.run)

    async def fork(self, order: ForkOrder) -> RunRow:
        """Accept the fork: row, continuation and `gateway:run:forked` in both ledgers in one transaction; an existing row stays.

        Raises:
            NotFound: there is no such parent.
            InvalidInput: input or config have no canonical form.
        """
        new = order.run
        place = {"tenant": new.tenant, "run": new.run}
        async with self._db.tenant(new.tenant) as tx:
            parent = _found(await tx.row(RUN_BY_ID, {"tenant": new.tenant, "run": order.parent}), order.parent)
            fresh = await self._runs.accept_within(tx, new)
            if fresh is not None:
                at = rfc3339(fresh["created_at"])
                await tx.execute(MARK_FORK, {**place, "parent": order.parent, "step": order.at, "effects": order.effects})
                await self._continue(tx, Continuation(**place, epoch=1, kind="fork", after="", created_at=at, start=order.start))
                said: dict[str, JsonValue] = {
                    "step": order.at,
                    "effects": order.effects,
                    "kept": order.kept,
                    "changed": list(order.changed),
                }
                own = {"epoch": 0, "correlation_id": new.correlation_id}
                child = _body(Kind.RUN_FORKED, at, new.principal, own, {**said, "parent": order.parent})
                await append_body(tx, new.tenant, new.run, child)
                told = _body(Kind.RUN_FORKED, at, new.principal, parent, {**said, "child": new.run})
                await append_body(tx, new.tenant, order.parent, told)
        return await self._runs.get(new.tenant, new.run)

    async def _continue(self, tx: Transaction, next_start: Continuation) -> None:
        sealed = await self._store(tx, next_start.tenant, next_start.run, next_start.start)
        params = next_start.model_dump(include={"tenant", "run", "kind", "after"})
        await tx.execute(ADD_CONTINUATION, {**params, "epoch": Int4(next_start.epoch), "ref": sealed.ref})

    async def _store(self, tx: Transaction, tenant: str, run: str, value: JsonValue) -> SealedPayload:
        sealed = await self._vault.seal_with(await self._vault.ciphers.within(tx, tenant, run), tenant, run, value)
        insert = "INSERT INTO payloads (tenant_id, ref, run, sealed) VALUES (%s, %s, %s, %s)"
        await tx.execute(insert, [tenant, sealed.ref, run, sealed.sealed])
        return sealed

    async def unstarted(self, tenant: str, *, seconds: float, limit: int) -> list[tuple[str, int]]:
        """Return (run, epoch) of continuations that are not started and are older than that, oldest first."""
        async with self._db.tenant(tenant) as tx:
            return [(row["run"], row["epoch"]) for row in await tx.rows(UNSTARTED, {"tenant": tenant, "seconds": seconds, "limit": limit})]

    async def claim(self, tenant: str, run: str, epoch: int, *, lease_s: float) -> Continuation | None:
        """Take a continuation to start it; None when it is started or another process holds it.

        Raises:
            ReferenceMissing: its state is erased.
        """
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(CLAIM, {"tenant": tenant, "run": run, "epoch": Int4(epoch), "lease_s": lease_s})
        if row is None:
            return None
        start = cast("dict[str, JsonValue]", await self._payloads.get(tenant, row["start_ref"]))
        same = {"kind": row["kind"], "after": row["after_temporal_run_id"], "created_at": rfc3339(row["created_at"])}
        return Continuation.model_validate({"tenant": tenant, "run": run, "epoch": epoch, "start": start, **same})

    async def mark_started(self, tenant: str, run: str, epoch: int) -> None:
        """Remember that its workflow has started."""
        async with self._db.tenant(tenant) as tx:
            await tx.execute(MARK_STARTED, {"tenant": tenant, "run": run, "epoch": Int4(epoch)})


def _approval(cipher: PayloadCipher, tenant: str, row: Row) -> KnownApproval:
    approval = str(row["approval"])
    sealed = cast("dict[str, JsonValue]", open_text(cipher, tenant, approval_place(approval), row["sealed"]))
    names = ("approval", "step", "visit", "digest", "reviewer_role", "exclude_requester", "requester", "rules", "revision", "amended_by")
    plain = {name: row[name] for name in names}
    times = {"opened_at": rfc3339(row["opened_at"]), "deadline": rfc3339_or_none(row["deadline"])}
    comment = row["comment_sealed"]
    return KnownApproval(
        opened=OpenApproval.model_validate({**plain, **times, **sealed}),
        state=row["state"],
        decided_by=row["decided_by"],
        decision_id=row["decision_id"],
        comment="" if comment is None else str(open_text(cipher, tenant, comment_place("approvals", approval), comment)),
    )


def _answer(task: Row) -> KnownAnswer:
    return KnownAnswer(step=task["step"], visit=task["visit"], resolution=task["resolution"] or "")


def _body(kind: Kind, at: str, principal: str, row: Row, data: dict[str, JsonValue]) -> EntryBody:
    return EntryBody(kind=kind, at=at, principal=principal, correlation_id=row["correlation_id"], epoch=row["epoch"] or 0, data=data)


def _found(row: Row | None, run: str) -> Row:
    if row is None:
        raise NotFound(f"there is no run {run}")
    return row
