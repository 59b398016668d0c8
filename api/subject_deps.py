"""What erasure and retention need beside the run stores."""

from dataclasses import dataclass

from api.derived_ids import tenant_key
from api.histories import Histories
from domain.objects import ObjectStore
from domain.subjects import RemovalStore, RetentionStore, subject_pseudonym


@dataclass(frozen=True, kw_only=True)
class SubjectDeps:
    """The ports; `pseudonym_key` is 32 secret bytes, and `objects` is None where payloads never leave their rows."""

    removals: RemovalStore
    retention: RetentionStore
    histories: Histories
    objects: ObjectStore | None
    pseudonym_key: bytes

    def pseudonym(self, tenant: str, name: str) -> str:
        """Return how a data subject is written down in this tenant.

        Raises:
            InvalidInput: the name is empty or too long.
        """
        return subject_pseudonym(tenant_key(self.pseudonym_key, "standfast:subject:v1", tenant), name)
