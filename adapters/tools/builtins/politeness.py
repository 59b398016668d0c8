"""How `web.fetch` behaves towards sites: what robots.txt allows (RFC 9309), and no more than so many requests a host."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from protego import Protego

from domain.errors import ToolUnavailable

ROBOTS_BYTES_MAX = 500 * 1024
"""RFC 9309 §2.5: at least 500 KiB are read."""
ROBOTS_S = 3600.0
"""RFC 9309 §2.4: kept no longer than 24 hours; an hour does."""
HOSTS_MAX = 1000
EVERY_S = 1.0
"""Between two requests to one host, unless its robots.txt asks for longer."""
DELAY_S_MAX = 10.0
WAIT_S_MAX = 15.0
"""Who would have to wait longer is told to come back."""

ReadRobots = Callable[[], Awaitable[tuple[int, bytes]]]
"""Fetch robots.txt: (status, body); status 0 when the site cannot be reached."""


class Robots:
    """Knows the robots.txt of sites, for one user agent."""

    def __init__(self, agent: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._agent = agent
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Protego | None]] = OrderedDict()

    async def rules(self, origin: str, read: ReadRobots) -> Protego | None:
        """Return a site's rules; None means that nothing may be fetched: the site answers with errors (RFC 9309 §2.3.1.4)."""
        known = self._known.get(origin)
        if known is None or known[0] <= self._clock():
            status, body = await read()
            unreachable = status == 0 or status >= 500
            rules = None if unreachable else Protego.parse(body.decode("utf-8", errors="replace") if status == 200 else "")
            known = (self._clock() + (60.0 if unreachable else ROBOTS_S), rules)
            self._known[origin] = known
            if len(self._known) > HOSTS_MAX:
                self._known.popitem(last=False)
        return known[1]

    def allows(self, rules: Protego, url: str) -> bool:
        """Whether the agent may fetch this."""
        return rules.can_fetch(url, self._agent)

    def delay_s(self, rules: Protego) -> float:
        """Return how long to wait between two requests."""
        asked = rules.crawl_delay(self._agent)
        return EVERY_S if asked is None else min(max(float(asked), EVERY_S), DELAY_S_MAX)


class HostRates:
    """Gives each host a turn every few moments; one per process."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._free: OrderedDict[str, float] = OrderedDict()

    async def turn(self, host: str, every_s: float) -> None:
        """Wait for the host's next turn.

        Raises:
            ToolUnavailable: that is too far away; it says when to come back.
        """
        now = self._clock()
        begins = max(now, self._free.get(host, now))
        if begins - now > WAIT_S_MAX:
            raise ToolUnavailable(f"{host} is asked often enough just now", retry_after_s=begins - now)
        self._free[host] = begins + every_s
        self._free.move_to_end(host)
        if len(self._free) > HOSTS_MAX:
            self._free.popitem(last=False)
        if begins > now:
            await self._sleep(begins - now)
