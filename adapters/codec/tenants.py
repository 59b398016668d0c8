"""Which tenant a workflow belongs to: what the payload codec must know before it can encrypt. In memory, thread-safe."""

import sys
import threading
from collections import OrderedDict

from domain.errors import Forbidden, StandfastError

WORKFLOWS_MAX = 4096
"""Bindings kept, about 1 MB; far beyond the workflows one worker caches. One forgotten meanwhile is learned again by its next replay."""


class TenantRegistry:
    """Maps workflow ids to tenants, the least recently used forgotten first.

    The gateway binds a run before it starts, signals or queries it. A worker learns by decoding: inputs of workflows and
    activities are decoded before anything of theirs is encoded. `default_tenant` serves every unbound workflow; give it only
    where one tenant exists.
    """

    def __init__(self, *, default_tenant: str | None = None, capacity: int = WORKFLOWS_MAX) -> None:
        self._default = default_tenant
        self._capacity = capacity
        self._tenants: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def bind(self, workflow_id: str, tenant: str) -> None:
        """Remember whose workflow this is.

        Raises:
            Forbidden: it is known as another tenant's.
        """
        with self._lock:
            known = self._tenants.get(workflow_id)
            if known is not None and known != tenant:
                raise Forbidden(f"workflow {workflow_id!r} does not belong to tenant {tenant!r}")
            self._tenants[workflow_id] = sys.intern(tenant)
            self._tenants.move_to_end(workflow_id)
            if len(self._tenants) > self._capacity:
                self._tenants.popitem(last=False)

    def tenant_of(self, workflow_id: str) -> str:
        """Return the tenant to encrypt for; the empty id means "no workflow".

        Raises:
            StandfastError: none is bound and there is no default.
        """
        with self._lock:
            known = self._tenants.get(workflow_id)
            if known is not None:
                self._tenants.move_to_end(workflow_id)
                return known
        if self._default is not None:
            return self._default
        named = f"workflow {workflow_id!r}" if workflow_id else "a payload outside of any workflow"
        raise StandfastError(f"no tenant is known for {named}: call TenantRegistry.bind(workflow_id, tenant) before sending to it")
