"""Decides calls by the tenant's policies as they are at this moment. Fails closed: what cannot be decided is denied.

Each decision reads which set is chosen, so a set that was changed or taken back counts for the very next call.
"""

import asyncio
import logging
from datetime import timedelta

from domain.errors import StandfastError, Unavailable
from domain.policy import PolicyEngine, PolicyRequest, PolicyVerdict
from domain.policy_sets import PolicyStore, ShippedPolicies, deciding_set
from domain.policy_verdicts import decide

log = logging.getLogger(__name__)

DECISION_TIMEOUT = timedelta(seconds=5)
"""How long one decision may take, reading the set included; it takes a millisecond, and a pool that is busy may make it wait."""


class PolicyDecisions:
    """A `PolicyDecider` over the stored sets of all tenants."""

    def __init__(
        self, *, store: PolicyStore, shipped: ShippedPolicies, engine: PolicyEngine, timeout: timedelta = DECISION_TIMEOUT
    ) -> None:
        self._store = store
        self._shipped = shipped
        self._engine = engine
        self._timeout_s = timeout.total_seconds()

    async def decide(self, request: PolicyRequest) -> PolicyVerdict:
        """Return the verdict; whatever fails is a denial."""
        try:
            async with asyncio.timeout(self._timeout_s):
                policies = await deciding_set(request.tenant, self._store, self._shipped)
                return await asyncio.to_thread(decide, policies, request, self._engine)
        except TimeoutError:
            return _denied(f"no decision within {self._timeout_s:g} s", transient=True)
        except StandfastError as error:
            return _denied(error.detail, transient=isinstance(error, Unavailable))
        except Exception as error:  # a bug in the engine must not let a call through, nor end the step in doubt
            log.exception("the decision on %s broke", request.tool)
            return _denied(f"the decision broke with {type(error).__name__}", transient=False)


def _denied(reason: str, *, transient: bool) -> PolicyVerdict:
    return PolicyVerdict(effect="deny", reason=f"no policy could be read: {reason}", transient=transient)
