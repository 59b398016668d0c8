"""How often something may happen in a minute: token buckets of this process, one per name, the least used forgotten first."""

import math
from collections import OrderedDict
from collections.abc import Callable

BUCKETS_MAX = 10_000
BURST_S = 10.0
"""A bucket holds what comes in this time, so a sender may catch up after a pause."""


class Rates:
    """Token buckets; `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, *, per_minute: int) -> float:
        """Take one; return 0, or the seconds until the next one may be taken."""
        now, each_s = self._clock(), 60.0 / per_minute
        most = max(1.0, BURST_S / each_s)
        left, since = self._buckets.pop(name, (most, now))
        left = min(most, left + (now - since) / each_s)
        taken = left >= 1.0
        self._buckets[name] = (left - 1.0 if taken else left, now)
        while len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        return 0.0 if taken else math.ceil((1.0 - left) * each_s * 1000) / 1000
