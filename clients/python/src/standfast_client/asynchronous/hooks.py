"""Inbound webhooks, asynchronous."""

from collections.abc import Mapping

from standfast_client.drivers import AsyncDriver
from standfast_client.flows import hooks
from standfast_client.hooks import Hook, HookRemoved, HookRequest
from standfast_client.models import JsonInput


class AsyncHooks:
    """Senders whose webhooks start runs or become signals."""

    def __init__(self, driver: AsyncDriver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    async def create(
        self,
        name: str,
        scheme: str,
        action: Mapping[str, JsonInput],
        *,
        secret: str | None = None,
        when: str | None = None,
        rate_per_minute: int | None = None,
        idempotency_key: str | None = None,
    ) -> Hook:
        """Register a sender. `address` of the answer is where it posts; `secret`, if one was made, is shown this once.

        Args:
            name: Lower-case words joined by `-`.
            scheme: `standard-webhooks`, `github`, `stripe` or `slack`.
            action: `{"kind": "start", "definition": …, "input": …}` or `{"kind": "signal", "signal": …, "correlate": …}`.
            secret: The one your sender gave you; one is made when None.
            when: A condition, such as `${ input.type == 'push' }`; other requests are ignored.
            rate_per_minute: Most requests a minute.
            idempotency_key: A random key when None.

        Raises:
            InvalidInputError: A template, the secret or the definition is wrong.
            ConflictError: There is a hook of that name.
        """
        rules: dict[str, JsonInput] = {"when": when, "rate_per_minute": rate_per_minute}
        flow = hooks.create(self._driver.link, name, scheme, action, secret=secret, rules=rules, idempotency_key=idempotency_key)
        return await self._driver.run(flow)

    async def get(self, hook: str) -> Hook:
        """Read one hook."""
        return await self._driver.run(hooks.hook(self._driver.link, hook))

    async def requests(self, hook: str, *, limit: int = 50) -> list[HookRequest]:
        """Read up to `limit` of a hook's requests, the newest first."""
        return await self._driver.run(hooks.requests(self._driver.link, hook, limit=limit))

    async def list(self, *, limit: int = 50) -> list[Hook]:
        """Read up to `limit` hooks, by name."""
        return await self._driver.run(hooks.hooks(self._driver.link, limit=limit))

    async def change(
        self,
        hook: str,
        *,
        name: str | None = None,
        action: Mapping[str, JsonInput] | None = None,
        when: str | None = None,
        rate_per_minute: int | None = None,
        enabled: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Hook:
        """Change what is given; the rest stays.

        Raises:
            InvalidInputError: A template or the definition is wrong.
            NotFoundError: There is no such hook.
        """
        given: dict[str, JsonInput] = {"name": name, "when": when, "rate_per_minute": rate_per_minute, "enabled": enabled}
        rules = given if action is None else {**given, "action": dict(action)}
        return await self._driver.run(hooks.change(self._driver.link, hook, rules, idempotency_key=idempotency_key))

    async def remove(self, hook: str, *, idempotency_key: str | None = None) -> HookRemoved:
        """Take a hook away: its address answers 404 from now on."""
        return await self._driver.run(hooks.remove(self._driver.link, hook, idempotency_key=idempotency_key))

    async def rotate(self, hook: str, *, secret: str | None = None, keep_s: int = 86_400, idempotency_key: str | None = None) -> Hook:
        """Add a secret; those before it stay valid for `keep_s` seconds more, 0 ends them at once.

        Raises:
            ConflictError: Four secrets are valid already.
        """
        flow = hooks.rotate(self._driver.link, hook, secret=secret, keep_s=keep_s, idempotency_key=idempotency_key)
        return await self._driver.run(flow)
