"""`/v1/hooks`: the senders whose webhooks a tenant takes, and what their requests do."""

import secrets
from datetime import timedelta
from enum import Enum

from fastapi import FastAPI

from api.changes import tell
from api.context import Context
from api.deps import GatewayDeps, instant
from api.hook_views import (
    HookBody,
    HookIdInPath,
    HookPage,
    HookRemoved,
    HookRequestView,
    HookView,
    HookWithSecret,
    SecretBody,
    hook_view,
    request_view,
)
from domain.errors import InvalidInput, NotFound
from domain.hook_verifiers import Scheme, new_secret, secret_key
from domain.hooks import Hook, HookRules, StartAction, check_rules
from domain.ids import format_id
from domain.stores import Page

ADDRESS_BYTES = 16
"""Random bytes of an address: as many as an id holds, so that nobody guesses one."""

SECRET_BYTES = 32


class HookRoutes:
    """Hooks over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["hooks"]
        add, one = app.router.add_api_route, "/v1/hooks/{hook_id}"
        add("/v1/hooks", self.create_hook, methods=["POST"], tags=tags, status_code=201)
        add("/v1/hooks", self.list_hooks, methods=["GET"], tags=tags)
        add(one, self.get_hook, methods=["GET"], tags=tags)
        add(one, self.change_hook, methods=["PUT"], tags=tags)
        add(one, self.remove_hook, methods=["DELETE"], tags=tags)
        add(f"{one}/secrets", self.rotate_hook_secret, methods=["POST"], tags=tags, status_code=201)
        add(f"{one}/requests", self.list_hook_requests, methods=["GET"], tags=tags)

    async def create_hook(self, body: HookBody, context: Context) -> HookWithSecret:
        """Register a sender. Its address and, unless you bring one, its secret are in the answer; the secret is shown this once.

        Raises:
            InvalidInput: a template, the secret or the definition is wrong.
            Conflict: there is a hook of that name.
        """
        tenant, at = context.principal.tenant, instant(self._deps.now())
        await self._check(tenant, body)
        secret = _secret(body.scheme, body.secret)
        hook = Hook(
            **body.model_dump(include={*HookRules.model_fields} - {"action"}),
            action=body.action,
            tenant=tenant,
            hook=format_id("hok", secrets.token_bytes(ADDRESS_BYTES)),
            scheme=body.scheme,
            created_by=context.principal.id,
            created_at=at,
            updated_at=at,
        )
        made = await self._deps.hooks.hooks.create(hook, secret_id=secrets.token_hex(8), secret=secret)
        tell(context, "registered", made.hook)
        context.kept = True
        return _with_secret(made, None if body.secret else secret)

    async def list_hooks(self, where: HookPage, context: Context) -> Page[HookView]:
        """List hooks, by name."""
        page = await self._deps.hooks.hooks.page(context.principal.tenant, limit=where.limit, cursor=where.cursor)
        return Page[HookView](items=tuple(hook_view(hook) for hook in page.items), next_cursor=page.next_cursor)

    async def get_hook(self, hook_id: HookIdInPath, context: Context) -> HookView:
        """Show one hook."""
        return hook_view(await self._deps.hooks.hooks.get(context.principal.tenant, hook_id))

    async def change_hook(self, hook_id: HookIdInPath, body: HookRules, context: Context) -> HookView:
        """Replace what a hook does with its requests; address, scheme and secrets stay.

        Raises:
            NotFound: no such hook.
            InvalidInput: a template or the definition is wrong.
            Conflict: there is another hook of that name.
        """
        tenant = context.principal.tenant
        await self._check(tenant, body)
        changed = await self._deps.hooks.hooks.change(tenant, hook_id, body, at=instant(self._deps.now()))
        tell(context, "changed", hook_id)
        context.kept = True
        return hook_view(changed)

    async def remove_hook(self, hook_id: HookIdInPath, context: Context) -> HookRemoved:
        """Take a hook away for good: its address answers 404 from now on. What it has started goes on."""
        await self._deps.hooks.hooks.remove(context.principal.tenant, hook_id, at=instant(self._deps.now()))
        tell(context, "removed", hook_id)
        context.kept = True
        return HookRemoved(hook=hook_id)

    async def rotate_hook_secret(self, hook_id: HookIdInPath, body: SecretBody, context: Context) -> HookWithSecret:
        """Add a secret. Requests signed with an older one are taken for `keep_s` seconds more; 0 ends those at once.

        Raises:
            NotFound: no such hook.
            Conflict: four secrets are valid already.
        """
        tenant, now = context.principal.tenant, self._deps.now()
        hook = await self._deps.hooks.hooks.get(tenant, hook_id)
        secret = _secret(hook.scheme, body.secret)
        until = instant(now + timedelta(seconds=body.keep_s))
        rotated = await self._deps.hooks.hooks.rotate(
            tenant, hook_id, secret_id=secrets.token_hex(8), secret=secret, at=instant(now), old_until=until
        )
        tell(context, "given a new secret", hook_id)
        context.kept = True
        return _with_secret(rotated, None if body.secret else secret)

    async def list_hook_requests(self, hook_id: HookIdInPath, where: HookPage, context: Context) -> Page[HookRequestView]:
        """List what a hook was sent, newest first."""
        page = await self._deps.hooks.requests.page(context.principal.tenant, hook_id, limit=where.limit, cursor=where.cursor)
        return Page[HookRequestView](items=tuple(request_view(each) for each in page.items), next_cursor=page.next_cursor)

    async def _check(self, tenant: str, rules: HookRules) -> None:
        check_rules(rules)
        if not isinstance(rules.action, StartAction):
            return
        name, _, version_range = rules.action.definition.partition("@")
        try:
            await self._deps.definitions.get(tenant, name, version_range or None)
        except NotFound as unknown:
            raise InvalidInput(unknown.detail, where="/action/definition") from unknown


def _secret(scheme: Scheme, given: str | None) -> str:
    """Return the secret that was given, once it is known to be usable, or a new one."""
    secret = new_secret(scheme, secrets.token_bytes(SECRET_BYTES)) if given is None else given
    secret_key(scheme, secret)
    return secret


def _with_secret(hook: Hook, secret: str | None) -> HookWithSecret:
    view = hook_view(hook)
    return HookWithSecret(**view.model_dump(exclude={"action"}), action=view.action, secret=secret)
