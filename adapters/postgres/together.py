"""Calls of one journal function that come at the same time go as one statement, one transaction, one commit (docs/ledger.md).

A call that finds the way free goes at once and alone. Calls that come while a statement of their tenant is under way wait for the next one
and share it. Each still returns after its commit, with its own answer; when a shared statement fails, each of its calls is made alone.
Only calls that lock nothing beyond their run may share: runs are locked in ascending order, so two statements never wait for each other
in a circle. A run that somebody else holds keeps the others waiting for PATIENCE_S at most.

With enough company two statements go abreast, each with half of the calls: one is prepared while the database works on the other. They
never have a run in common, so that calls of one run stay in their order.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import LiteralString, NamedTuple, cast

from adapters.postgres.arrays import Integers, Texts, array_of
from adapters.postgres.entries import FACT_TYPES
from adapters.postgres.pool import Database, Row

log = logging.getLogger(__name__)

PATIENCE_S = 0.25
"""How long calls wait for a statement before them, or for a row that its run's other writers hold, before they go their own way."""

CALLS_MAX = 32
"""Calls in one statement at most: it holds the rows of all their runs until it commits."""

COMPANY = 6
"""Calls that wait before a second statement goes beside the first: its own round trip and commit cost as much as ten calls."""

FIRST_FACTS, PAST_FACTS = 2, 2 + len(FACT_TYPES)
"""Every journal function takes run, epoch, seven arrays of facts, and then what is its own."""


class Shared(NamedTuple):
    """A function whose calls may share a statement.

    Attributes:
        function: Its name.
        types: The types of run and epoch, and of its own parameters after the facts, with spaces between.
        plain: A function that makes the plain ones of many calls at once, from the arrays as they are; the others are made alone.
        beside: SQL over `setting.tenant` and `item` that tells, before the function runs, whether a call must be made alone after all.
        abreast: How many statements may be under way for one tenant.
    """

    function: LiteralString
    types: LiteralString
    plain: LiteralString = ""
    beside: LiteralString = "false"
    abreast: int = 1


@dataclass(eq=False, slots=True)
class _Waiting:
    """A call that waits, whose run it is of, and where its caller waits for the answer."""

    tenant: str
    run: str
    params: Sequence[object]
    seen: str
    answer: "asyncio.Future[Row]"


@dataclass
class _Way:
    """The way of one tenant's calls.

    Attributes:
        lanes: How many may be under way.
        waiting: Who waits for a statement, in the order of coming.
        taken: Lanes in use: by a lone call, or by a task that sends one shared statement after the other.
        sent: Calls under way on them.
        runs: Whose they are; no two lanes have a run in common.
    """

    lanes: int
    waiting: deque[_Waiting] = field(default_factory=deque[_Waiting])
    taken: int = 0
    sent: int = 0
    runs: set[str] = field(default_factory=set[str])

    def wants_lane(self) -> bool:
        """Whether those who wait should get a lane more."""
        return bool(self.waiting) and (self.taken == 0 or (self.taken < self.lanes and len(self.waiting) >= COMPANY))

    def share(self) -> list[_Waiting]:
        """Return those whose turn it is; callers that were cancelled are left out, and nothing was sent for them.

        Who waits for a run that is under way waits on, and so does a company that is too small to go beside another.
        """
        if self.sent and len(self.waiting) < COMPANY:
            return []
        everybody = self.sent + len(self.waiting)
        size = min(CALLS_MAX, (everybody + 1) // 2 if self.lanes > 1 and everybody >= 2 * COMPANY else everybody)
        calls: list[_Waiting] = []
        held: list[_Waiting] = []
        while self.waiting and len(calls) < size:
            one = self.waiting.popleft()
            if not one.answer.done():
                (held if one.run in self.runs else calls).append(one)
        self.waiting.extendleft(reversed(held))
        return calls

    def leave(self, runs: Collection[str]) -> None:
        """Note that calls of these runs go."""
        self.sent += len(runs)
        self.runs.update(runs)

    def arrive(self, runs: Collection[str]) -> None:
        """Note that they are answered."""
        self.sent -= len(runs)
        self.runs.difference_update(runs)


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
        way = self._ways.setdefault(tenant, _Way(self._shared.abreast))
        if way.taken:
            one = _Waiting(tenant, str(params[0]), params, seen, asyncio.get_running_loop().create_future())
            way.waiting.append(one)
            self._fill(tenant, way)
            return await one.answer
        runs = (str(params[0]),)
        way.taken = 1
        way.leave(runs)
        turn = _Turn(lambda: self._free(tenant, way, runs))
        try:
            return await self._alone(tenant, params, seen)
        finally:
            turn.end()

    def _fill(self, tenant: str, way: _Way) -> None:
        """Send a task for those who wait, if they should have one."""
        if way.wants_lane():
            way.taken += 1
            self._spawn(self._drive(tenant, way))

    def _free(self, tenant: str, way: _Way, runs: Collection[str] = ()) -> None:
        """Free a lane, and with it the runs of its lone call."""
        way.arrive(runs)
        way.taken -= 1
        self._fill(tenant, way)
        if not way.taken:
            self._ways.pop(tenant, None)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _drive(self, tenant: str, way: _Way) -> None:
        """Send one shared statement after the other until nobody waits whose turn it is.

        Raises:
            CancelledError: the process ends, and those who wait are told so too.
        """
        try:
            while calls := way.share():
                runs = [one.run for one in calls]
                way.leave(runs)
                try:
                    await self._send(tenant, calls)
                finally:
                    way.arrive(runs)
                await asyncio.sleep(0)  # whoever was answered may ask again: let them come along
        except asyncio.CancelledError:
            while way.waiting:
                way.waiting.popleft().answer.cancel()
            raise
        finally:
            self._free(tenant, way)

    async def _send(self, tenant: str, calls: list[_Waiting]) -> None:
        if len(calls) == 1:
            await self._send_alone(calls)
            return
        calls.sort(key=lambda one: one.run)  # by code point: the order of bytes, which SQL calls "C"
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
_SETTING = f"set_config('standfast.tenant', left(set_config('lock_timeout', '{int(1000 * PATIENCE_S)}', true), 0) || %s, true)"


@cache
def shared_query(shared: Shared) -> bytes:
    """Return the statement over parallel arrays: tenant, seven arrays of facts, and then a value for each call in each array."""
    types = shared.types.split()
    arrays = ", ".join(f"%b::{kind}[]" for kind in (*types, "integer", "integer", "text"))
    if shared.plain:
        facts = ", ".join(f"%b::{kind}[]" for kind in FACT_TYPES)
        return (
            f"SELECT 'ok' AS answer, NULL AS detail, made.*"  # noqa: S608 - names of ours; every value is a parameter
            f" FROM {shared.plain}({_SETTING}, {arrays}, {facts}) AS made"
        ).encode()
    own = [f"item.p{place}" for place in range(len(types))]
    slices = [f"(%b::{kind}[])[item.first:item.last]" for kind in FACT_TYPES]
    names = ", ".join((*(f"p{place}" for place in range(len(types))), "first", "last", "seen", "place"))
    arguments = ", ".join((*own[:FIRST_FACTS], *slices, *own[FIRST_FACTS:]))
    return (
        f"SELECT item.place, beside.is AS beside, answer.* FROM {_SETTING} AS setting(tenant),"  # noqa: S608 - as above
        f" unnest({arrays}) WITH ORDINALITY AS item({names}), LATERAL (SELECT {shared.beside} AS is OFFSET 0) AS beside,"
        f" LATERAL {shared.function}(left(set_config('standfast.temporal_run', item.seen, true), 0)"
        f" || CASE WHEN NOT beside.is THEN setting.tenant END, {arguments}) AS answer"
    ).encode()


def shared_params(shared: Shared, tenant: str, taken: Sequence[_Waiting]) -> list[object]:
    """Return the parameters of the statement for these calls, in their order."""
    facts = [array_of(kind) for kind in FACT_TYPES]
    firsts, lasts = Integers(), Integers()
    for one in taken:
        firsts.append(len(facts[0]) + 1)
        for column, values in zip(facts, one.params[FIRST_FACTS:PAST_FACTS], strict=True):
            column.extend(cast("list[object]", values))
        lasts.append(len(facts[0]))
    types = shared.types.split()
    places = (*range(FIRST_FACTS), *range(PAST_FACTS, PAST_FACTS + len(types) - FIRST_FACTS))
    own = [array_of(kind, [one.params[place] for one in taken]) for kind, place in zip(types, places, strict=True)]
    return [tenant, *own, firsts, lasts, Texts(one.seen for one in taken), *facts]
