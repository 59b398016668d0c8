"""Decides calls by the tenant's policies as they are at this moment. Fails closed: what cannot be decided is denied.

Which set is chosen is read anew for every decision but those of the same moment, so a set that was changed or taken back counts at once.
"""

import asyncio
import logging
from datetime import timedelta

from domain.errors import StandfastError, Unavailable
from domain.policy import PolicyEngine, PolicyRequest, PolicyVerdict
from domain.policy_sets import PolicySet, PolicyStore, ShippedPolicies, deciding_set
from domain.policy_verdicts import decide, verdict_of

log = logging.getLogger(__name__)

DECISION_TIMEOUT = timedelta(seconds=5)
"""How long one decision may take, reading the set included; it takes a millisecond, and a pool that is busy may make it wait."""

TENANTS_KEPT = 1000
"""Of how many tenants a worker remembers the choice for a moment."""
MOMENT = timedelta(milliseconds=50)
"""How long a choice that was read counts: the calls of one turn, and the quick steps of one segment, read it once."""


class PolicyDecisions:
    """A `PolicyDecider` over the stored sets of all tenants."""

    def __init__(
        self, *, store: PolicyStore, shipped: ShippedPolicies, engine: PolicyEngine, timeout: timedelta = DECISION_TIMEOUT
    ) -> None:
        self._store = store
        self._shipped = shipped
        self._engine = engine
        self._timeout_s = timeout.total_seconds()
        self._read: dict[str, tuple[float, PolicySet]] = {}

    async def decide(self, request: PolicyRequest) -> PolicyVerdict:
        """Return the verdict; whatever fails is a denial."""
        try:
            async with asyncio.timeout(self._timeout_s):
                policies = await self._deciding(request.tenant)
                known = self._engine.recall(policies.text, request)
                if known is not None:
                    return verdict_of(known, request, policies.sha256)
                return await asyncio.to_thread(decide, policies, request, self._engine)
        except TimeoutError:
            return _denied(f"no decision within {self._timeout_s:g} s", transient=True)
        except StandfastError as error:
            return _denied(error.detail, transient=isinstance(error, Unavailable))
        except Exception as error:  # a bug in the engine must not let a call through, nor end the step in doubt
            log.exception("the decision on %s broke", request.tool)
            return _denied(f"the decision broke with {type(error).__name__}", transient=False)

    async def _deciding(self, tenant: str) -> PolicySet:
        now = asyncio.get_running_loop().time()
        read = self._read.get(tenant)
        if read is not None and now - read[0] < MOMENT.total_seconds():
            return read[1]
        found = await deciding_set(tenant, self._store, self._shipped)
        if len(self._read) >= TENANTS_KEPT:
            self._read.clear()
        self._read[tenant] = (now, found)
        return found


def _denied(reason: str, *, transient: bool) -> PolicyVerdict:
    return PolicyVerdict(effect="deny", reason=f"no policy could be read: {reason}", transient=transient)
