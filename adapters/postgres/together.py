"""Calls of one journal function that come at the same time go as one statement, one transaction, one commit (docs/ledger.md).

A call that finds the way free goes at once and alone. Calls that come while a statement of their tenant is under way wait for the next one
and share it. Each still returns after its commit, with its own answer; when a shared statement fails, each of its calls is made alone.
Only calls that lock nothing beyond their run may share: runs are locked in ascending order, so two statements never wait for each other
in a circle. A run that somebody else holds keeps the others waiting for PATIENCE_S at most.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import LiteralString, NamedTuple, cast

from psycopg.types.numeric import Int4

from adapters.postgres.entries import FACT_TYPES
from adapters.postgres.pool import Database, Row

log = logging.getLogger(__name__)

PATIENCE_S = 0.25
"""How long calls wait for a statement before them, or for a row that its run's other writers hold, before they go their own way."""

CALLS_MAX = 32
"""Calls in one statement at most: it holds the rows of all their runs until it commits."""

FIRST_FACTS, PAST_FACTS = 2, 2 + len(FACT_TYPES)
"""Every journal function takes run, epoch, seven arrays of facts, and then what is its own."""


class Shared(NamedTuple):
    """A function whose calls may share a statement.

    Attributes:
        function: Its name.
        types: The types of run and epoch, and of its own parameters after the facts, with spaces between.
        plain: A function that makes the plain ones of many calls at once, from the arrays as they are; the others are made alone.
        beside: SQL over `setting.tenant` and `item` that tells, before the function runs, whether a call must be made alone after all.
    """

    function: LiteralString
    types: LiteralString
    plain: LiteralString = ""
    beside: LiteralString = "false"


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A call that waits, and where its caller waits for the answer."""

    tenant: str
    params: Sequence[object]
    seen: str
    answer: "asyncio.Future[Row]"


@dataclass
class _Way:
    """The way of one tenant's calls: whether a statement is under way, and who waits for the next."""

    waiting: deque[_Waiting] = field(default_factory=deque[_Waiting])
    taken: bool = False

    def share(self) -> list[_Waiting]:
        """Return those whose turn it is; callers that were cancelled are left out, and nothing was sent for them."""
        calls: list[_Waiting] = []
        while self.waiting and len(calls) < CALLS_MAX:
            one = self.waiting.popleft()
            if not one.answer.done():
                calls.append(one)
        return calls


class _Turn:
    """A lone call's turn on the way. It ends once: with the call, or when PATIENCE_S are over."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end: Callable[[], None] | None = end
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self.end)

    def end(self) -> None:
        """Let the next ones go."""
        end, self._end = self._end, None
        if end is not None:
            self._timer.cancel()
            end()


class Together:
    """Makes the calls of one function; one per process and function."""

    def __init__(self, db: Database, shared: Shared) -> None:
        self._db = db
        self._shared = shared
        self._ways: dict[str, _Way] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, tenant: str, params: Sequence[object], *, share: bool, seen: str = "") -> Row:
        """Make a call as `Database.call` does; with `share`, it may go along with others.

        Raises:
            Unavailable: the database does not answer, and whether it was done is unknown.
        """
        if not share:
            return await self._alone(tenant, params, seen)
        way = self._ways.setdefault(tenant, _Way())
        if way.taken:
            one = _Waiting(tenant, params, seen, asyncio.get_running_loop().create_future())
            way.waiting.append(one)
            return await one.answer
        way.taken = True
        turn = _Turn(lambda: self._pass_on(tenant, way))
        try:
            return await self._alone(tenant, params, seen)
        finally:
            turn.end()

    def _pass_on(self, tenant: str, way: _Way) -> None:
        """Give the way to those who wait, or free it."""
        if way.waiting:
            self._spawn(self._drive(tenant, way))
        else:
            way.taken = False
            self._ways.pop(tenant, None)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _drive(self, tenant: str, way: _Way) -> None:
        """Send one shared statement after the other until nobody waits.

        Raises:
            CancelledError: the process ends, and those who wait are told so too.
        """
        try:
            while calls := way.share():
                await self._send(tenant, calls)
                await asyncio.sleep(0)  # whoever was answered may ask again: let them come along
        except asyncio.CancelledError:
            for one in way.share():
                one.answer.cancel()
            raise
        finally:
            self._pass_on(tenant, way)

    async def _send(self, tenant: str, calls: list[_Waiting]) -> None:
        if len(calls) == 1:
            await self._send_alone(calls)
            return
        calls.sort(key=lambda one: str(one.params[0]))  # by code point: the order of bytes, which SQL calls "C"
        try:
            rows = await self._db.select_all(shared_query(self._shared), shared_params(self._shared, tenant, calls))
        except asyncio.CancelledError:
            for one in calls:
                one.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the answer of those alone who meet it again
            log.warning("%d calls of %s go alone, for their statement failed: %s", len(calls), self._shared.function, error)
            rows = []
        left = dict(enumerate(calls, start=1))
        for row in rows:
            if not row.get("beside"):
                one = left.pop(row["place"])
                if not one.answer.done():
                    one.answer.set_result(row)
        await self._send_alone(left.values())

    async def _send_alone(self, calls: Collection[_Waiting]) -> None:
        """Make each call in a statement of its own; one that takes long keeps nobody else waiting."""
        if calls:
            await asyncio.wait([self._spawn(self._answer(one)) for one in calls], timeout=PATIENCE_S)

    async def _answer(self, one: _Waiting) -> None:
        """Make one call alone, and hand over what it answers or raises.

        Raises:
            CancelledError: the process ends, and the caller is told so too.
        """
        try:
            row = await self._alone(one.tenant, one.params, one.seen)
        except asyncio.CancelledError:
            one.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this call's answer
            if not one.answer.done():
                one.answer.set_exception(error)
        else:
            if not one.answer.done():
                one.answer.set_result(row)

    async def _alone(self, tenant: str, params: Sequence[object], seen: str) -> Row:
        return await self._db.call(tenant, self._shared.function, params, seen=seen)


# The patience is set first, so that it holds for every lock.
_SETTING = (
    f"set_config('standfast.tenant', left(set_config('lock_timeout', '{int(1000 * PATIENCE_S)}', true), 0) || %s, true) AS setting(tenant)"
)


@cache
def shared_query(shared: Shared) -> bytes:
    """Return the statement over parallel arrays: tenant, seven arrays of facts, and then a value for each call in each array."""
    types = shared.types.split()
    arrays = ", ".join(f"%b::{kind}[]" for kind in (*types, "integer", "integer", "text"))
    if shared.plain:
        facts = ", ".join(f"%b::{kind}[]" for kind in FACT_TYPES)
        return (
            f"SELECT 'ok' AS answer, NULL AS detail, made.* FROM {_SETTING},"  # noqa: S608 - names of ours; every value is a parameter
            f" LATERAL {shared.plain}(setting.tenant, {arrays}, {facts}) AS made"
        ).encode()
    own = [f"item.p{place}" for place in range(len(types))]
    slices = [f"(%b::{kind}[])[item.first:item.last]" for kind in FACT_TYPES]
    names = ", ".join((*(f"p{place}" for place in range(len(types))), "first", "last", "seen", "place"))
    arguments = ", ".join((*own[:FIRST_FACTS], *slices, *own[FIRST_FACTS:]))
    return (
        f"SELECT item.place, beside.is AS beside, answer.* FROM {_SETTING},"  # noqa: S608 - as above
        f" unnest({arrays}) WITH ORDINALITY AS item({names}), LATERAL (SELECT {shared.beside} AS is OFFSET 0) AS beside,"
        f" LATERAL {shared.function}(left(set_config('standfast.temporal_run', item.seen, true), 0)"
        f" || CASE WHEN NOT beside.is THEN setting.tenant END, {arguments}) AS answer"
    ).encode()


def shared_params(shared: Shared, tenant: str, taken: Sequence[_Waiting]) -> list[object]:
    """Return the parameters of the statement for these calls, in their order."""
    facts: list[list[object]] = [[] for _ in FACT_TYPES]
    firsts: list[Int4] = []
    lasts: list[Int4] = []
    for one in taken:
        firsts.append(Int4(len(facts[0]) + 1))
        for column, values in zip(facts, one.params[FIRST_FACTS:PAST_FACTS], strict=True):
            column.extend(cast("list[object]", values))
        lasts.append(Int4(len(facts[0])))
    past_own = PAST_FACTS + len(shared.types.split()) - FIRST_FACTS
    places = (*range(FIRST_FACTS), *range(PAST_FACTS, past_own))
    own = [[one.params[place] for one in taken] for place in places]
    return [tenant, *own, firsts, lasts, [one.seen for one in taken], *facts]
