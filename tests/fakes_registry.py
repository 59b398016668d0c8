"""Fake stores of definitions, keys and Idempotency-Keys, honest to the docstrings of `domain/stores.py`."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.errors import Conflict, IdempotencyKeyReused, InvalidInput, NotFound, RequestInFlight, VersionExists
from domain.principals import Principal, Role
from domain.registry import DefinitionDraft, RegisteredDefinition
from domain.stores import StoredAnswer
from domain.versions import is_range, is_version, newest, newest_first
from tests.fakes_database import MemoryDatabase


class FakeDefinitionStore:
    """DefinitionStore in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._versions: dict[tuple[str, str, str], RegisteredDefinition] = {}

    async def register(self, tenant: str, draft: DefinitionDraft, *, principal: str) -> RegisteredDefinition:
        """Insert a version."""
        if not is_version(draft.version):
            raise InvalidInput(f"{draft.version!r} is no version: three numbers with dots, such as 1.0.0")
        place = (tenant, draft.name, draft.version)
        known = self._versions.get(place)
        if known is not None and known.sha256 != draft.sha256:
            raise VersionExists(f"{draft.name} {draft.version} exists with other content: raise its version")
        if known is None:
            said = {**draft.model_dump(), "registered_at": self._database.now(), "registered_by": principal}
            known = self._versions[place] = RegisteredDefinition.model_validate(said)
        return known

    async def get(self, tenant: str, name: str, version_range: str | None) -> RegisteredDefinition:
        """Return the highest version in the range."""
        versions = self._of(tenant, name)
        if version_range is not None and not is_range(version_range):
            raise InvalidInput(f"{version_range!r} is no range of versions: write one such as ^1 or 1.2.0")
        found = newest([version_range] if version_range else [], versions)
        if found is None:
            there = ", ".join(versions or sorted({known for owner, known, _ in self._versions if owner == tenant})) or "none yet"
            raise NotFound(f"there is no definition {name} {version_range or ''}: there is {there}")
        return self._versions[tenant, name, found]

    async def all(self, tenant: str) -> list[RegisteredDefinition]:
        """Return every version, by name, then newest first."""
        names = sorted({name for owner, name, _ in self._versions if owner == tenant})
        return [self._versions[tenant, name, version] for name in names for version in newest_first(self._of(tenant, name))]

    def _of(self, tenant: str, name: str) -> list[str]:
        return [version for owner, known, version in self._versions if (owner, known) == (tenant, name)]


@dataclass
class _Key:
    tenant: str
    secret_hmac: bytes
    principal: str
    live: bool = True


class FakeKeyStore:
    """KeyStore in memory."""

    def __init__(self) -> None:
        self._keys: dict[str, _Key] = {}
        self._principals: dict[tuple[str, str], Principal] = {}

    @property
    def principals(self) -> dict[tuple[str, str], Principal]:
        """Everybody, by tenant and id."""
        return self._principals

    async def authenticate(self, key_id: str, secret_hmac: bytes) -> Principal | None:
        """Return the principal of a live key."""
        key = self._keys.get(key_id)
        if key is None or not key.live or not hmac.compare_digest(key.secret_hmac, secret_hmac):
            return None
        return self._principals[key.tenant, key.principal]

    async def principal(self, tenant: str, principal: str) -> Principal:
        """Return the principal."""
        if (tenant, principal) not in self._principals:
            raise NotFound(f"there is no principal {principal}")
        return self._principals[tenant, principal]

    async def create(
        self, tenant: str, *, key_id: str, secret_hmac: bytes, principal: str, name: str, role: Role, reviewer_roles: tuple[str, ...]
    ) -> None:
        """Insert a key, and its principal if it is new."""
        new = Principal(id=principal, tenant=tenant, role=role, reviewer_roles=reviewer_roles, name=name)
        self._principals.setdefault((tenant, principal), new)
        key = self._keys.setdefault(key_id, _Key(tenant, secret_hmac, principal))
        if (key.tenant, key.secret_hmac, key.principal) != (tenant, secret_hmac, principal):
            raise Conflict(f"there is another key {key_id}")

    async def set_reviewer_roles(self, tenant: str, principal: str, reviewer_roles: tuple[str, ...]) -> None:
        """Replace the reviewer roles."""
        known = await self.principal(tenant, principal)
        self._principals[tenant, principal] = known.model_copy(update={"reviewer_roles": reviewer_roles})

    async def revoke(self, tenant: str, key_id: str) -> None:
        """Make a key dead."""
        key = self._keys.get(key_id)
        if key is None or key.tenant != tenant:
            raise NotFound(f"there is no key {key_id}")
        key.live = False


@dataclass
class _Claim:
    fingerprint: str
    lease_until: datetime
    answer: StoredAnswer | None = None


class FakeIdempotencyStore:
    """IdempotencyStore in memory; leases run on the database clock. `claims` may be cleared by tests."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.claims: dict[tuple[str, str, str], _Claim] = {}

    async def begin(self, tenant: str, *, route: str, key: str, fingerprint: str, lease_s: float) -> StoredAnswer | None:
        """Claim, or return the answer."""
        claim = self.claims.get((tenant, route, key))
        if claim is not None and claim.fingerprint != fingerprint:
            raise IdempotencyKeyReused(f"the Idempotency-Key {key!r} came with another request before")
        if claim is not None and claim.answer is not None:
            return claim.answer
        if claim is not None and claim.lease_until > self._database.time:
            left = (claim.lease_until - self._database.time).total_seconds()
            raise RequestInFlight("the first request with this Idempotency-Key is still being answered", retry_after_s=left)
        self.claims[tenant, route, key] = _Claim(fingerprint, self._database.time + timedelta(seconds=lease_s))
        return None

    async def finish(self, tenant: str, *, route: str, key: str, answer: StoredAnswer) -> None:
        """Store the answer."""
        claim = self.claims[tenant, route, key]
        claim.answer = claim.answer or answer

    async def release(self, tenant: str, *, route: str, key: str) -> None:
        """Give the key back."""
        claim = self.claims.get((tenant, route, key))
        if claim is not None and claim.answer is None:
            del self.claims[tenant, route, key]
