"""The people of the scenario, their keys, and their clients."""

import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx2

from domain.ids import CROCKFORD, format_id
from domain.principals import ApiKeyParts, Role, format_api_key, key_hmac
from domain.stores import KeyStore
from standfast_client import AsyncStandfast

CLERK, FINANCE, LEAD = "claims-clerk", "finance", "claims-lead"
"""The three reviewer roles."""


@dataclass(frozen=True)
class Person:
    """Somebody with a key."""

    name: str
    role: Role
    reviewer_roles: tuple[str, ...] = ()
    principal: str = field(default_factory=lambda: format_id("prn", secrets.token_bytes(16)))
    key_id: str = field(default_factory=lambda: _letters(26))
    secret: str = field(default_factory=lambda: _letters(52))

    @property
    def key(self) -> str:
        """The API key."""
        return format_api_key(ApiKeyParts(environment="test", key_id=self.key_id, secret=self.secret))


def _letters(count: int) -> str:
    return "".join(secrets.choice(CROCKFORD) for _ in range(count))


def staff() -> dict[str, Person]:
    """Return everybody by name: two clerks, two in finance, the lead and her substitute, the requester, a developer and an auditor."""
    everybody = (
        Person("anna", Role.APPROVER, (CLERK,)),
        Person("ben", Role.APPROVER, (CLERK,)),
        Person("carla", Role.APPROVER, (FINANCE,)),
        Person("dario", Role.APPROVER, (FINANCE,)),
        Person("lea", Role.APPROVER, (LEAD,)),
        Person("sten", Role.APPROVER),
        Person("olga", Role.ADMIN, (CLERK,)),
        Person("dev", Role.DEVELOPER),
        Person("audra", Role.AUDITOR),
    )
    return {person.name: person for person in everybody}


@dataclass
class People:
    """Everybody, at one gateway. `olga` starts the runs and is a clerk herself."""

    url: str
    everybody: dict[str, Person]
    opened: AsyncExitStack
    clients: dict[str, AsyncStandfast] = field(default_factory=dict[str, AsyncStandfast])
    browsers: dict[str, httpx2.AsyncClient] = field(default_factory=dict[str, httpx2.AsyncClient])

    async def enrol(self, keys: KeyStore, tenant: str, pepper: bytes) -> None:
        """Make everybody's key, and open everybody's client."""
        for name, person in self.everybody.items():
            await keys.create(
                tenant,
                key_id=person.key_id,
                secret_hmac=key_hmac(pepper, person.secret),
                principal=person.principal,
                name=name,
                role=person.role,
                reviewer_roles=person.reviewer_roles,
            )
            self.clients[name] = await self.opened.enter_async_context(AsyncStandfast(self.url, person.key))
            headers = {"Authorization": f"Bearer {person.key}"}
            browser = httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=30, trust_env=False)
            self.browsers[name] = await self.opened.enter_async_context(browser)

    def principal(self, name: str) -> str:
        """Return a person's principal."""
        return self.everybody[name].principal

    def name(self, principal: str) -> str:
        """Return whose principal it is."""
        return next(person.name for person in self.everybody.values() if person.principal == principal)
