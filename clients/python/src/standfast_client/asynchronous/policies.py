"""Policies, asynchronous."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from standfast_client.drivers import AsyncDriver
from standfast_client.flows import policies
from standfast_client.policies import PolicySet, PolicySets, PolicyText, PolicyVerdict


class AsyncPolicies:
    """Which tool calls are allowed, denied, or put before a person."""

    def __init__(self, driver: AsyncDriver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    async def list(self) -> PolicySets:
        """Read the tenant's policy sets, and which of them decides."""
        return await self._driver.run(policies.sets(self._driver.link))

    async def get(self, version: str) -> PolicyText:
        """Read a set with its whole text; `shipped` is the one that comes with the platform."""
        return await self._driver.run(policies.show(self._driver.link, version))

    async def register(
        self,
        version: str,
        cedar: str,
        *,
        extends: str | None = None,
        comment: str = "",
        tests: Sequence[Mapping[str, JsonValue]] = (),
        activate: bool = False,
        idempotency_key: str | None = None,
    ) -> PolicySet:
        """Register a version, which its tests must pass; with `activate` it decides from then on."""
        draft: dict[str, JsonValue] = {"version": version, "cedar": cedar, "extends": extends, "comment": comment}
        flow = policies.register(self._driver.link, draft, tests=tests, activate=activate, idempotency_key=idempotency_key)
        return await self._driver.run(flow)

    async def activate(self, version: str, *, idempotency_key: str | None = None) -> PolicySets:
        """Let a version decide from now on; `shipped` for the set that comes with the platform."""
        return await self._driver.run(policies.activate(self._driver.link, version, idempotency_key=idempotency_key))

    async def explain(self, call: Mapping[str, JsonValue], *, version: str | None = None) -> PolicyVerdict:
        """Ask what policy says of a call; nothing is called."""
        return await self._driver.run(policies.explain(self._driver.link, call, version=version))
