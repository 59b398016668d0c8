"""Hooks and their secrets, sealed at rest (PROOF B19). The one lookup without a tenant is by the address itself."""

import json
from datetime import datetime

import psycopg
from psycopg.types.json import Json

from adapters.postgres import hook_queries as sql
from adapters.postgres.pool import Database, Row, Transaction
from adapters.postgres.values import decode_cursor, encode_cursor, rfc3339
from domain.errors import Conflict, NotFound
from domain.hook_stores import FoundHook
from domain.hooks import LIVE_SECRETS_MAX, Hook, HookRules
from domain.stores import Page, PayloadCipher


class PostgresHookStore:
    """Implements `HookStore`."""

    def __init__(self, db: Database, cipher: PayloadCipher) -> None:
        self._db = db
        self._cipher = cipher

    async def create(self, hook: Hook, *, secret_id: str, secret: str) -> Hook:
        """Insert a hook with its first secret.

        Raises:
            Conflict: the name is taken.
        """
        place = {"tenant": hook.tenant, "hook": hook.hook}
        fields = {**place, **_rules(hook), "scheme": hook.scheme, "created_by": hook.created_by, "at": hook.created_at}
        try:
            async with self._db.tenant(hook.tenant) as tx:
                await tx.execute("INSERT INTO tenants (tenant_id) VALUES (%s) ON CONFLICT DO NOTHING", [hook.tenant])
                await tx.execute(sql.INSERT_HOOK, fields)
                await self._add_secret(tx, hook.tenant, hook.hook, secret_id=secret_id, secret=secret, at=hook.created_at)
        except psycopg.errors.UniqueViolation as taken:
            raise Conflict(_taken(hook.name)) from taken
        return await self.get(hook.tenant, hook.hook)

    async def change(self, tenant: str, hook: str, rules: HookRules, *, at: str) -> Hook:
        """Replace what may be changed.

        Raises:
            NotFound: there is none of that id in the tenant.
            Conflict: the name is taken.
        """
        try:
            async with self._db.tenant(tenant) as tx:
                changed = await tx.affected(sql.CHANGE_HOOK, {"tenant": tenant, "hook": hook, **_rules(rules), "at": at})
        except psycopg.errors.UniqueViolation as taken:
            raise Conflict(_taken(rules.name)) from taken
        if not changed:
            raise NotFound(_absent(hook))
        return await self.get(tenant, hook)

    async def get(self, tenant: str, hook: str) -> Hook:
        """Return one.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        async with self._db.tenant(tenant) as tx:
            return _hook(await _row(tx, tenant, hook))

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[Hook]:
        """Return one page, by name.

        Raises:
            BadRequest: the cursor is none of this list.
        """
        name, hook = decode_cursor(cursor, 2) if cursor else ("", "")
        async with self._db.tenant(tenant) as tx:
            rows = await tx.rows(sql.HOOK_PAGE, {"tenant": tenant, "name": name, "hook": hook, "limit": limit + 1})
        items = tuple(_hook(row) for row in rows[:limit])
        return Page(items=items, next_cursor=encode_cursor(items[-1].name, items[-1].hook) if len(rows) > limit else None)

    async def remove(self, tenant: str, hook: str, *, at: str) -> None:
        """Take a hook and its secrets away for good; its requests stay.

        Raises:
            NotFound: there is none of that id in the tenant.
        """
        place = {"tenant": tenant, "hook": hook, "at": at}
        async with self._db.tenant(tenant) as tx:
            if not await tx.affected(sql.REMOVE_HOOK, place):
                raise NotFound(_absent(hook))
            await tx.execute(sql.DROP_SECRETS, {**place, "all": True})

    async def rotate(self, tenant: str, hook: str, *, secret_id: str, secret: str, at: str, old_until: str) -> Hook:
        """Add a secret; those before it are valid until `old_until` at most, and those that are over go.

        Raises:
            NotFound: there is none of that id in the tenant.
            Conflict: too many are valid.
        """
        place = {"tenant": tenant, "hook": hook, "at": at}
        async with self._db.tenant(tenant) as tx:
            await _row(tx, tenant, hook)
            await tx.execute("SELECT 1 FROM hooks WHERE tenant_id = %s AND hook = %s FOR UPDATE", [tenant, hook])
            await self._add_secret(tx, tenant, hook, secret_id=secret_id, secret=secret, at=at)
            await tx.execute(sql.END_SECRETS, {**place, "secret": secret_id, "until": old_until})
            await tx.execute(sql.DROP_SECRETS, {**place, "all": False})
            if len(await tx.rows(sql.LIVE_SECRETS, place)) > LIVE_SECRETS_MAX:
                raise Conflict(f"{LIVE_SECRETS_MAX} secrets of this hook are valid; rotate with a shorter time for the old ones")
        return await self.get(tenant, hook)

    async def find(self, hook: str, *, at: str) -> FoundHook | None:
        """Return an enabled hook by its address, with the secrets that are valid then, newest first."""
        async with self._db.platform() as tx:
            owners = await tx.rows("SELECT tenant_id FROM find_hook(%s)", [hook])
        if not owners:
            return None
        tenant = owners[0]["tenant_id"]
        async with self._db.tenant(tenant) as tx:
            row = await tx.row(sql.HOOK, {"tenant": tenant, "hook": hook})
            secrets = await tx.rows(sql.LIVE_SECRETS, {"tenant": tenant, "hook": hook, "at": at})
        if row is None:
            return None
        opened = tuple(self._cipher.open(tenant, _place(hook, one["secret_id"]), one["sealed"]).decode() for one in secrets)
        return FoundHook(hook=_hook(row), secrets=opened)

    async def _add_secret(self, tx: Transaction, tenant: str, hook: str, *, secret_id: str, secret: str, at: str) -> None:
        sealed = self._cipher.seal(tenant, _place(hook, secret_id), secret.encode())
        await tx.execute(sql.ADD_SECRET, {"tenant": tenant, "hook": hook, "secret": secret_id, "sealed": sealed, "at": at})


def _place(hook: str, secret_id: str) -> str:
    return f"hook_secrets/{hook}/{secret_id}"


def _rules(rules: HookRules) -> dict[str, object]:
    kept = rules.model_dump(mode="json", include={*HookRules.model_fields})
    return {"name": rules.name, "enabled": rules.enabled, "rules": Json(kept, dumps=_dumps)}


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=True)


def _hook(row: Row) -> Hook:
    known = {name: row[name] for name in ("hook", "scheme", "created_by")}
    # PostgreSQL writes an instant of JSON in its session's zone, and without a fraction that is zero
    secrets = {name: None if until is None else _instant(until) for name, until in row["secrets"].items()}
    times = {"created_at": rfc3339(row["created_at"]), "updated_at": rfc3339(row["updated_at"])}
    return Hook.model_validate({**row["rules"], **known, **times, "tenant": row["tenant_id"], "secrets": secrets})


def _instant(text: str) -> str:
    """Return PostgreSQL's own spelling of an instant as UTC with microseconds and `Z`."""
    return rfc3339(datetime.fromisoformat(text))


async def _row(tx: Transaction, tenant: str, hook: str) -> Row:
    row = await tx.row(sql.HOOK, {"tenant": tenant, "hook": hook})
    if row is None:
        raise NotFound(_absent(hook))
    return row


def _absent(hook: str) -> str:
    return f"there is no hook {hook}"


def _taken(name: str) -> str:
    return f"there is a hook named {name!r} already"
