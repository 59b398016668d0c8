"""Rules that make a service fail on demand: which call, how, how many times. They live in memory and end with the process.

| mode | what the caller sees | applied? |
|---|---|---|
| `refuse` | 403 `refused`, a final no; a key that was applied before still gets its stored answer | no |
| `http_500` | 500 `broken` | no |
| `http_429` | 429 `too-many-calls` with `Retry-After: 1` | no |
| `hold` | nothing until `POST /faults/release`; then the call goes on as if it came in at that moment | after release |
| `timeout_after_apply` | nothing, ever: the connection is closed once the caller has gone, or on release | yes |
"""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import cast

from examples.delay_claim.services.calls import Call, JsonObject, RefusedError

MODES = ("refuse", "http_500", "http_429", "hold", "timeout_after_apply")
HOLD_SECONDS_MAX = 600
"""A held call goes on after this long even if nobody releases it, so that no thread stays for ever."""

_LOOK_SECONDS = 0.1
_COUNT_MAX = 1_000_000


@dataclass
class FaultRule:
    """One armed rule; `match` compares path ids and top-level body fields; `remaining` counts down to 0."""

    id: int
    route: str
    mode: str
    count: int
    match: JsonObject
    remaining: int
    holding: list[JsonObject] = field(default_factory=list[JsonObject])

    def fits(self, call: Call) -> bool:
        """Tell whether this rule is still armed for the call."""
        fields = {**call.body, **call.ids}
        return self.remaining > 0 and self.route == call.route and all(fields.get(name) == value for name, value in self.match.items())

    def describe(self) -> JsonObject:
        """The rule as `GET /faults` shows it; `holding` lists the calls it keeps waiting right now."""
        return {
            "id": self.id,
            "route": self.route,
            "mode": self.mode,
            "count": self.count,
            "match": self.match,
            "remaining": self.remaining,
            "fired": self.count - self.remaining,
            "holding": list(self.holding),
        }


class FaultRules:
    """The armed rules of one service, oldest first; the first that fits a call is taken. Safe to use from many threads."""

    def __init__(self, routes: Collection[str]) -> None:
        self._routes = sorted(routes)
        self._lock = threading.Lock()
        self._rules: list[FaultRule] = []
        self._armed = 0
        self._gate = threading.Event()

    def arm(self, body: JsonObject) -> JsonObject:
        """Add the rule `{route, mode, count = 1, match = {}}` and return it as `describe` does.

        Raises:
            RefusedError: 422 naming the field that is wrong and what it may be.
        """
        if unknown := set(body) - {"route", "mode", "count", "match"}:
            raise RefusedError(422, "bad-field", f"unknown field {min(unknown)!r}; a fault has route, mode, count and match")
        route, mode, count, match = body.get("route"), body.get("mode"), body.get("count", 1), body.get("match", {})
        if not isinstance(route, str) or route not in self._routes:
            raise RefusedError(422, "bad-field", f"route must be one of {', '.join(self._routes)}")
        if not isinstance(mode, str) or mode not in MODES:
            raise RefusedError(422, "bad-field", f"mode must be one of {', '.join(MODES)}")
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _COUNT_MAX:
            raise RefusedError(422, "bad-field", f"count must be an integer from 1 to {_COUNT_MAX}")
        if not isinstance(match, dict):
            raise RefusedError(422, "bad-field", "match must be an object of field names and values")
        with self._lock:
            self._armed += 1
            rule = FaultRule(self._armed, route, mode, count, cast("JsonObject", match), count)
            self._rules.append(rule)
            return rule.describe()

    def take(self, call: Call) -> FaultRule | None:
        """Use up one count of the first rule that fits the call."""
        with self._lock:
            for rule in self._rules:
                if rule.fits(call):
                    rule.remaining -= 1
                    return rule
        return None

    def keep(self, rule: FaultRule, call: Call, *, until: Callable[[], bool] = lambda: False) -> None:
        """Keep the calling thread until release, until `until()` holds, or for `HOLD_SECONDS_MAX`."""
        note: JsonObject = {"path": call.path, "key": call.key, "claim_id": call.body.get("claim_id")}
        with self._lock:
            gate = self._gate
            rule.holding.append(note)
        deadline = time.monotonic() + HOLD_SECONDS_MAX
        while not gate.wait(_LOOK_SECONDS) and not until() and time.monotonic() < deadline:
            pass
        with self._lock:
            rule.holding.remove(note)

    def release(self) -> int:
        """Let every kept call go on, and return how many there were; calls kept later wait for the next release."""
        with self._lock:
            kept = sum(len(rule.holding) for rule in self._rules)
            self._gate.set()
            self._gate = threading.Event()
            return kept

    def disarm(self) -> int:
        """Remove every rule and release what they keep; returns how many rules there were."""
        self.release()
        with self._lock:
            removed = len(self._rules)
            self._rules = []
            return removed

    def describe(self) -> list[JsonObject]:
        """Return every rule since the last disarming, used up or not."""
        with self._lock:
            return [rule.describe() for rule in self._rules]
