"""Fake stores of inbound webhooks and of listeners, honest to the docstrings of `domain/hook_stores.py` and `domain/signals.py`."""

from dataclasses import dataclass

from domain.canonical import digest_hex
from domain.dead_letters import NewDeadLetter
from domain.errors import Conflict, NotFound
from domain.hook_stores import FoundHook, HeldRequest, HookRequest, NewHookRequest, RequestState
from domain.hooks import LIVE_SECRETS_MAX, Hook, HookRules, signal_id
from domain.ledger import EntryBody, Kind
from domain.signals import ListenerProjection
from domain.stores import NewRun, Page
from tests.fakes_database import MemoryDatabase, paged
from tests.fakes_dead_letters import FakeDeadLetterStore
from tests.fakes_runs import FakeRunStore


class FakeHookStore:
    """HookStore in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.hooks: dict[str, Hook] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.removed: dict[str, str] = {}

    async def create(self, hook: Hook, *, secret_id: str, secret: str) -> Hook:
        """Insert, unless the name is taken."""
        self._refuse_name(hook.tenant, hook.name, other_than="")
        self.hooks[hook.hook] = hook.model_copy(update={"secrets": {secret_id: None}})
        self.secrets[hook.hook] = {secret_id: secret}
        return self.hooks[hook.hook]

    async def change(self, tenant: str, hook: str, rules: HookRules, *, at: str) -> Hook:
        """Replace the rules."""
        known = await self.get(tenant, hook)
        self._refuse_name(tenant, rules.name, other_than=hook)
        changes = {name: getattr(rules, name) for name in HookRules.model_fields}
        self.hooks[hook] = known.model_copy(update={**changes, "updated_at": at})
        return await self.get(tenant, hook)

    async def get(self, tenant: str, hook: str) -> Hook:
        """Return the row with the secrets that are valid now."""
        found = self.hooks.get(hook)
        if found is None or found.tenant != tenant:
            raise NotFound(f"there is no hook {hook}")
        return found.model_copy(update={"secrets": self._live(found, self._database.now())})

    async def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[Hook]:
        """Return one page, by name."""
        rows = [await self.get(tenant, hook.hook) for hook in self.hooks.values() if hook.tenant == tenant]
        return paged(rows, key=lambda hook: (hook.name, hook.hook), limit=limit, cursor=cursor)

    async def remove(self, tenant: str, hook: str, *, at: str) -> None:
        """Take it away."""
        await self.get(tenant, hook)
        self.removed[hook] = at
        del self.hooks[hook], self.secrets[hook]

    async def rotate(self, tenant: str, hook: str, *, secret_id: str, secret: str, at: str, old_until: str) -> Hook:
        """Add a secret and end the others."""
        known = await self.get(tenant, hook)
        ended = {name: min(until or old_until, old_until) for name, until in known.secrets.items()}
        live = {name: until for name, until in ended.items() if until > at}
        if len(live) >= LIVE_SECRETS_MAX:
            raise Conflict(f"{LIVE_SECRETS_MAX} secrets are valid")
        self.hooks[hook] = known.model_copy(update={"secrets": {**live, secret_id: None}})
        self.secrets[hook][secret_id] = secret
        return await self.get(tenant, hook)

    async def find(self, hook: str, *, at: str) -> FoundHook | None:
        """Return it by its address."""
        found = self.hooks.get(hook)
        if found is None or not found.enabled:
            return None
        live = self._live(found, at)
        return FoundHook(hook=await self.get(found.tenant, hook), secrets=tuple(self.secrets[hook][name] for name in reversed(live)))

    def _live(self, hook: Hook, at: str) -> dict[str, str | None]:
        return {name: until for name, until in hook.secrets.items() if until is None or until > at}

    def _refuse_name(self, tenant: str, name: str, *, other_than: str) -> None:
        if any(hook.tenant == tenant and hook.name == name and hook.hook != other_than for hook in self.hooks.values()):
            raise Conflict(f"there is a hook named {name!r} already")


@dataclass
class Listening:
    """A listener as it stands."""

    listener: ListenerProjection
    at: tuple[int, int]
    opened_at: str
    order: int
    taken_by: str | None = None


class FakeListenerStore:
    """ListenerStore in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.rows: dict[tuple[str, str, str, int], Listening] = {}

    async def keep(self, tenant: str, run: str, listener: ListenerProjection, *, epoch: int, fact_seq: int) -> None:
        """Open or close, unless something newer stands."""
        self._database.run(tenant, run)
        place, said = (tenant, run, listener.step, listener.visit), (epoch, fact_seq)
        known = self.rows.get(place)
        if known is None or epoch > known.at[0]:
            self.rows[place] = Listening(listener, said, self._database.now(), len(self.rows))
        elif known.at <= said:
            known.listener, known.at = listener, said


class FakeHookRequestStore:
    """HookRequestStore in memory."""

    def __init__(
        self,
        database: MemoryDatabase,
        *,
        hooks: FakeHookStore,
        runs: FakeRunStore,
        letters: FakeDeadLetterStore,
        listeners: FakeListenerStore,
    ) -> None:
        self._database = database
        self._hooks, self._runs, self._letters, self._listeners = hooks, runs, letters, listeners
        self.rows: dict[tuple[str, str, str], HookRequest] = {}
        self._contents: dict[tuple[str, str, str], str] = {}
        self._held: dict[tuple[str, str, str], HeldRequest | None] = {}
        self._tried: dict[tuple[str, str, str], str] = {}

    async def accept(
        self, request: NewHookRequest, *, run: NewRun | None = None, letter: NewDeadLetter | None = None
    ) -> tuple[HookRequest, bool]:
        """Insert it with its run or its dead letter, unless it is known."""
        place = (request.tenant, request.hook, request.webhook_id)
        known = self._contents.get((request.tenant, request.hook, request.content), request.webhook_id)
        if place in self.rows or known != request.webhook_id:
            return self.rows.get(place) or self.rows[request.tenant, request.hook, known], False
        self._contents[request.tenant, request.hook, request.content] = request.webhook_id
        self._store(place, request, run, received_at=request.at, attempts=0)
        if run is not None:
            await self._start(request, run)
        if letter is not None:
            await self._letters.add(letter)
        return self.rows[place], True

    def _store(self, place: tuple[str, str, str], request: NewHookRequest, run: NewRun | None, *, received_at: str, attempts: int) -> None:
        known = self.rows.get(place)
        done = request.first in ("started", "ignored", "dead")
        self._held[place], self._tried[place] = request.held, self._database.now()
        self.rows[place] = HookRequest(
            tenant=request.tenant,
            hook=request.hook,
            webhook_id=request.webhook_id,
            first=known.first if known else request.first,
            state=request.first,
            run=run.run if run else None,
            correlation_id=request.correlation_id,
            received_at=received_at,
            settled_at=request.at if done else None,
            attempts=attempts,
        )

    async def _start(self, request: NewHookRequest, run: NewRun) -> None:
        await self._runs.accept(run)
        said = {"hook": request.hook, "name": request.source, "webhook": request.webhook_id}
        body = EntryBody(
            kind=Kind.HOOK_RECEIVED,
            at=request.at,
            principal=request.hook,
            correlation_id=request.correlation_id,
            epoch=0,
            data={name: value for name, value in said.items()},  # noqa: C416 - a dict of JSON values, which str is not to a type checker
        )
        self._database.append(run.tenant, run.run, body)

    async def get(self, tenant: str, hook: str, webhook_id: str) -> HookRequest:
        """Return the row."""
        if (tenant, hook, webhook_id) not in self.rows:
            raise NotFound(f"the hook {hook} has no request {webhook_id}")
        return self.rows[tenant, hook, webhook_id]

    async def page(self, tenant: str, hook: str, *, limit: int, cursor: str | None) -> Page[HookRequest]:
        """Return one page, newest first."""
        await self._hooks.get(tenant, hook)
        rows = [row for row in self.rows.values() if (row.tenant, row.hook) == (tenant, hook)]
        return paged(rows, key=lambda row: (row.received_at, row.webhook_id), limit=limit, cursor=cursor, newest_first=True)

    async def held(self, tenant: str, hook: str, webhook_id: str) -> HeldRequest | None:
        """Return what is kept."""
        await self.get(tenant, hook, webhook_id)
        discarded = {
            letter.subject for (owner, _), letter in self._letters.letters.items() if owner == tenant and letter.state == "discarded"
        }
        return None if f"{hook}/{webhook_id}" in discarded else self._held[tenant, hook, webhook_id]

    async def unsettled(self, tenant: str, *, idle_seconds: float, limit: int) -> list[HookRequest]:
        """Return what is not done, tried longest ago first."""
        found = [place for place, row in self.rows.items() if place[0] == tenant and row.state in ("waiting", "sending")]
        found = [place for place in found if self._database.older(self._tried[place], seconds=idle_seconds)]
        return [self.rows[place] for place in sorted(found, key=lambda place: self._tried[place])[:limit]]

    async def aim(self, tenant: str, hook: str, webhook_id: str, *, hashed: str | None, at: str) -> HookRequest:
        """Claim a run for its signal."""
        place = (tenant, hook, webhook_id)
        row = await self.get(*place)
        self._change(place, attempts=row.attempts + 1)
        self._tried[place] = self._database.now()
        held = self._held[place]
        if row.state == "waiting" and held is not None and held.signal is not None:
            run = self._claimed(place, held.signal.run, hashed)
            if run is not None:
                ref = self._database.store_payload(tenant, {"key": held.signal.key, "payload": held.signal.payload})
                self._held[place] = held.model_copy(update={"signal": held.signal.model_copy(update={"ref": ref})})
                self._change(place, state="sending", run=run)
                await self._tell(place, held.signal.signal, run, ref, at)
        return self.rows[place]

    def _claimed(self, place: tuple[str, str, str], run: str | None, hashed: str | None) -> str | None:
        tenant = place[0]
        if run is not None:
            row = self._database.runs.get((tenant, run))
            return run if row is not None and not row.status.closed else None
        fits = [
            (at, row)
            for at, row in self._listeners.rows.items()
            if at[0] == tenant and row.listener.hash == hashed and row.listener.opened and row.taken_by is None
        ]
        fits = [(at, row) for at, row in fits if not self._database.run(at[0], at[1]).status.closed]
        if not fits:
            return None
        at, chosen = min(fits, key=lambda each: (each[1].opened_at, each[1].order))
        chosen.taken_by = f"{place[1]}/{place[2]}"
        return at[1]

    async def _tell(self, place: tuple[str, str, str], signal: str, run: str, ref: str, at: str) -> None:
        row = self._database.run(place[0], run)
        body = EntryBody(
            kind=Kind.SIGNAL_SENT,
            at=at,
            principal=place[1],
            correlation_id=row.correlation_id,
            epoch=row.epoch or 0,
            payload_digest=digest_hex("standfast:fake:v1", ref),
            data={"hook": place[1], "webhook": place[2], "signal": signal, "payload": ref, "id": signal_id(place[1], place[2])},
        )
        self._database.append(place[0], run, body)

    async def unaim(self, tenant: str, hook: str, webhook_id: str) -> None:
        """Let it wait again."""
        if (await self.get(tenant, hook, webhook_id)).state == "sending":
            self._change((tenant, hook, webhook_id), state="waiting", run=None)

    async def settle(
        self,
        tenant: str,
        hook: str,
        webhook_id: str,
        *,
        state: RequestState,
        detail: str | None = None,
        letter: NewDeadLetter | None = None,
    ) -> None:
        """End it, once."""
        place = (tenant, hook, webhook_id)
        if (await self.get(*place)).state not in ("waiting", "sending"):
            return
        self._change(place, state=state, detail=detail, settled_at=self._database.now())
        if state != "dead":
            self._held[place] = None
        if letter is not None:
            await self._letters.add(letter)

    async def revive(self, request: NewHookRequest, *, run: NewRun | None = None) -> HookRequest:
        """Take a dead one up again."""
        place = (request.tenant, request.hook, request.webhook_id)
        row = await self.get(*place)
        if row.state == "dead":
            self._store(place, request, run, received_at=row.received_at, attempts=row.attempts)
            if run is not None:
                await self._start(request, run)
        return self.rows[place]

    def _change(self, place: tuple[str, str, str], **changes: object) -> None:
        self.rows[place] = self.rows[place].model_copy(update=changes)
