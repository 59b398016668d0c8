"""The fake `PolicyStore`: policy sets in memory; it passes the suite of the real one."""

from dataclasses import dataclass, field

from domain.errors import NotFound, Unavailable, VersionExists
from domain.policy_sets import PolicySetDraft, StoredPolicySet


@dataclass
class FakePolicyStore:
    """Sets by tenant and version; with `away` nothing can be read."""

    kept: dict[str, dict[str, StoredPolicySet]] = field(default_factory=dict[str, dict[str, StoredPolicySet]])
    choices: dict[str, str] = field(default_factory=dict[str, str])
    away: bool = False

    async def add(self, tenant: str, draft: PolicySetDraft, *, sha256: str, by: str) -> StoredPolicySet:
        """Keep a version."""
        sets = self.kept.setdefault(tenant, {})
        at = f"2026-01-01T00:00:{len(sets):02}.000000Z"
        stored = sets.setdefault(draft.version, StoredPolicySet(**draft.model_dump(), sha256=sha256, created_by=by, created_at=at))
        if stored.sha256 != sha256:
            raise VersionExists(f"policy set {draft.version} is registered already with other policies: a version never changes")
        return self._shown(tenant, stored)

    async def sets(self, tenant: str) -> list[StoredPolicySet]:
        """Return every version, newest first."""
        found = sorted(self.kept.get(tenant, {}).values(), key=lambda one: one.created_at, reverse=True)
        return [self._shown(tenant, one) for one in found]

    async def get(self, tenant: str, version: str) -> StoredPolicySet:
        """Return one version."""
        if version not in self.kept.get(tenant, {}):
            raise NotFound(f"there is no policy set {version}")
        return self._shown(tenant, self.kept[tenant][version])

    async def choose(self, tenant: str, version: str | None, *, by: str) -> None:
        """Let a version decide."""
        del by
        if version is None:
            self.choices.pop(tenant, None)
            return
        await self.get(tenant, version)
        self.choices[tenant] = version

    async def chosen(self, tenant: str) -> StoredPolicySet | str | None:
        """Return what decides."""
        if self.away:
            raise Unavailable("PostgreSQL is away")
        version = self.choices.get(tenant)
        stored = self.kept.get(tenant, {}).get(version or "")
        return version if stored is None else self._shown(tenant, stored)

    def _shown(self, tenant: str, stored: StoredPolicySet) -> StoredPolicySet:
        return stored.model_copy(update={"active": self.choices.get(tenant) == stored.version})
