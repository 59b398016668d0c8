"""Calls of one journal function that come at the same time go as one statement, one transaction, one commit (docs/ledger.md).

A call that finds the way free goes at once and alone. Calls that come while WAYS statements of their tenant are under way wait for the
next one and share it. Each still returns after its commit, with its own answer; when a shared statement fails, each of its calls is made
alone. Only calls that lock nothing beyond their run may share: runs are locked in ascending order, so two statements never wait for each
other in a circle, and no other row is waited for.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import LiteralString, NamedTuple, cast

from psycopg.types.numeric import Int4

from adapters.postgres.pool import Database, Row

log = logging.getLogger(__name__)

WAYS = 2
"""Statements of one tenant and function under way at once: while PostgreSQL works on one, this process prepares the other."""

CALLS_MAX = 32
"""Calls in one statement at most: it holds the rows of all their runs until it commits."""

FIRST_FACTS, PAST_FACTS = 2, 9
"""Every journal function takes run, epoch, seven arrays of facts, and then what is its own."""

FACT_TYPES = ("integer", "integer", "text", "text", "text", "text", "bytea")


class Shared(NamedTuple):
    """A function whose calls may share a statement.

    Attributes:
        function: Its name.
        types: The types of run and epoch, and of its own parameters after the facts, with spaces between.
        rest: The parameters after those, in SQL: a call that may share has no others.
        beside: SQL over `setting.tenant` and `item` that tells, before the function runs, whether a call must be made alone after all.
    """

    function: LiteralString
    types: LiteralString
    rest: LiteralString = ""
    beside: LiteralString = "false"


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A call that waits, and where its caller waits for the answer."""

    tenant: str
    params: Sequence[object]
    seen: str
    answer: "asyncio.Future[Row]"


@dataclass
class _Ways:
    """The traffic of one tenant: who waits, and how many calls are under way on how many ways."""

    waiting: deque[_Waiting] = field(default_factory=deque[_Waiting])
    busy: int = 0
    under_way: int = 0

    def take(self) -> list[_Waiting]:
        """Take this way's share of those who still wait, so that the ways stay equally full."""
        self.forget_cancelled()
        share = min(CALLS_MAX, -(-(len(self.waiting) + self.under_way) // WAYS), len(self.waiting))
        return [self.waiting.popleft() for _ in range(share)]

    def forget_cancelled(self) -> None:
        """Drop those whose callers were cancelled: nothing was sent for them."""
        if any(one.answer.done() for one in self.waiting):
            self.waiting = deque(one for one in self.waiting if not one.answer.done())


class Together:
    """Makes the calls of one function; one per process and function."""

    def __init__(self, db: Database, shared: Shared) -> None:
        self._db = db
        self._shared = shared
        self._ways: dict[str, _Ways] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, tenant: str, params: Sequence[object], *, share: bool, seen: str = "") -> Row:
        """Make a call as `Database.call` does; with `share`, it may go along with others.

        Raises:
            Unavailable: the database does not answer, and whether it was done is unknown.
        """
        if not share:
            return await self._alone(tenant, params, seen)
        ways = self._ways.setdefault(tenant, _Ways())
        if ways.busy == WAYS:
            waiting = _Waiting(tenant, params, seen, asyncio.get_running_loop().create_future())
            ways.waiting.append(waiting)
            return await waiting.answer
        ways.busy += 1
        ways.under_way += 1
        try:
            return await self._alone(tenant, params, seen)
        finally:
            ways.under_way -= 1
            self._leave(tenant, ways)

    def _leave(self, tenant: str, ways: _Ways) -> None:
        """Give the way to those who wait, or free it."""
        ways.forget_cancelled()
        if ways.waiting:
            task = asyncio.get_running_loop().create_task(self._drive(tenant, ways))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        ways.busy -= 1
        if ways.busy == 0:
            self._ways.pop(tenant, None)

    async def _drive(self, tenant: str, ways: _Ways) -> None:
        """Take shares until nobody waits."""
        try:
            while taken := ways.take():
                ways.under_way += len(taken)
                try:
                    await self._send(tenant, taken)
                finally:
                    ways.under_way -= len(taken)
                await asyncio.sleep(0)  # whoever was answered may ask again: let them come along
        finally:
            self._leave(tenant, ways)

    async def _send(self, tenant: str, taken: list[_Waiting]) -> None:
        if len(taken) == 1:
            await self._answer_alone(taken[0])
            return
        taken.sort(key=lambda one: str(one.params[0]))
        try:
            rows = await self._db.select_all(shared_query(self._shared), shared_params(self._shared, tenant, taken))
        except asyncio.CancelledError:
            for one in taken:
                one.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the answer of those alone who meet it again
            log.warning("%d calls of %s go alone, for their statement failed: %s", len(taken), self._shared.function, error)
            rows = []
        left = dict(enumerate(taken, start=1))
        for row in rows:
            if not row["beside"]:
                one = left.pop(row["place"])
                if not one.answer.done():
                    one.answer.set_result(row)
        if left:
            await asyncio.gather(*map(self._answer_alone, left.values()))

    async def _answer_alone(self, one: _Waiting) -> None:
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


@cache
def shared_query(shared: Shared) -> bytes:
    """Return the statement over parallel arrays: tenant, seven arrays of facts, and then a value for each call in each array."""
    types = shared.types.split()
    own = [f"item.p{place}" for place in range(len(types))]
    facts = [f"(%b::{kind}[])[item.first:item.last]" for kind in FACT_TYPES]
    arrays = ", ".join(f"%b::{kind}[]" for kind in (*types, "integer", "integer", "text"))
    names = ", ".join((*(f"p{place}" for place in range(len(types))), "first", "last", "seen", "place"))
    arguments = ", ".join((*own[:FIRST_FACTS], *facts, *own[FIRST_FACTS:])) + shared.rest
    return (  # names of ours; every value is a parameter
        "SELECT item.place, beside.is AS beside, answer.* FROM set_config('standfast.tenant', %s, true) AS setting(tenant),"  # noqa: S608 - as above
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
