"""The sealer's loop in the worker process, and the anchors it delivers to (ADR 0010).

Every worker runs one; a lease per tenant lets one of them seal it at a time, and passes on when its holder stops or dies.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.anchors.file import FileAnchor
from adapters.anchors.webhook import WebhookAnchor
from adapters.outbound.clients import GuardedClients
from adapters.postgres.sealer import PostgresSealer
from domain.errors import InvalidInput, LogBroken, StandfastError
from domain.sealing import Anchor, Anchorage, Refused, SealStore
from wiring.keys import InstallationKeys, new_token
from wiring.leased_rounds import HeldLeases, beside, go_round
from wiring.outbound import build_outbound
from wiring.settings import Environment, PlatformSettings, SealingSettings
from wiring.storage import Storage

log = logging.getLogger(__name__)

LEASE_S = 15.0
"""How long a dead sealer keeps others out; each batch renews it, so that heads are never a minute behind."""


@dataclass(frozen=True, kw_only=True)
class SealingParts:
    """What a sealer works with. `tenants` lists all tenants; `holder` names this process and no other."""

    tenants: Callable[[], Awaitable[list[str]]]
    store: SealStore
    anchorage: Anchorage
    anchors: Sequence[Anchor]
    holder: str
    pause_s: float
    anchor_every_s: float
    lease_s: float = LEASE_S


class Sealer:
    """One per worker process."""

    def __init__(self, parts: SealingParts) -> None:
        self._parts = parts
        self._leases = HeldLeases(parts.store, holder=parts.holder, lease_s=parts.lease_s)
        self._refused: dict[str, frozenset[str]] = {}
        self._told: dict[str, str] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Go round until `stop` is set, then give the leases back; a round that fails is logged, and the next one tries again."""
        await go_round("sealer", self.round, stop, pause_s=self._parts.pause_s)
        await self._leases.release()

    async def round(self, stop: asyncio.Event | None = None) -> None:
        """Seal what waits in every tenant, and bring the newest heads to the anchors."""
        for tenant in await self._parts.tenants():
            if stop is not None and stop.is_set():
                return
            try:
                await self._seal(tenant, stop)
            except LogBroken as error:
                self._tell(tenant, error.detail)
                continue
            await self._anchor(tenant)

    async def _seal(self, tenant: str, stop: asyncio.Event | None) -> None:
        parts = self._parts
        if not await parts.store.waiting(tenant):
            return
        epoch = await self._leases.claim(tenant)
        if epoch is None:
            return
        while stop is None or not stop.is_set():
            without = self._refused.get(tenant, frozenset())
            sealed = await parts.store.seal(tenant, epoch=epoch, lease_s=parts.lease_s, without=without)
            if sealed is None:
                log.warning("another sealer took over tenant %s", tenant)
                self._leases.lost(tenant)
                return
            self._refuse(tenant, sealed.refused)
            if sealed.head is not None:
                log.debug("sealed %d entries of %s, %d in all", sealed.leaves, tenant, sealed.head.tree_size)
            if not sealed.more:
                return

    def _refuse(self, tenant: str, refused: Sequence[Refused]) -> None:
        for one in refused:
            log.error("entry %d of %s (tenant %s) is not sealed: %s", one.seq, one.run, tenant, one.reason)
        if refused:
            self._refused[tenant] = self._refused.get(tenant, frozenset()) | {one.run for one in refused}

    def _tell(self, tenant: str, detail: str) -> None:
        """Say once what stops a tenant's sealing; it stays so until a person looks."""
        if self._told.get(tenant) != detail:
            log.error("nothing is sealed for tenant %s: %s", tenant, detail)
            self._told[tenant] = detail

    async def _anchor(self, tenant: str) -> None:
        """Bring the newest head to the anchors that lack it; after a takeover one may get it twice."""
        parts = self._parts
        for anchor in parts.anchors:
            head = await parts.anchorage.due(tenant, anchor.name, every_s=parts.anchor_every_s)
            if head is None or await self._leases.claim(tenant) is None:
                continue
            try:
                await anchor.keep(head)
            except StandfastError as error:
                log.warning("a head of %s was not anchored: %s", tenant, error.detail)
                await parts.anchorage.failed(tenant, anchor.name, head.tree_size, error=error.detail)
            else:
                await parts.anchorage.delivered(tenant, anchor.name, head.tree_size)


def build_anchors(settings: SealingSettings, environment: Environment, outbound: GuardedClients) -> list[Anchor]:
    """Return the anchors that the settings name.

    Raises:
        InvalidInput: a setting cannot be used, or an unsigned webhook is asked for in production.
    """
    anchors: list[Anchor] = []
    if settings.anchor_file is not None:
        anchors.append(FileAnchor(settings.anchor_file))
    if settings.anchor_url is not None:
        secret = None if settings.anchor_secret is None else settings.anchor_secret.get_secret_value()
        if secret is None and environment == "production":
            raise InvalidInput("STANDFAST_ANCHOR_URL needs STANDFAST_ANCHOR_SECRET in production: unsigned webhooks prove nothing")
        anchors.append(
            WebhookAnchor(
                settings.anchor_url,
                secret=secret,
                now=lambda: datetime.now(UTC),
                outbound=outbound,
                allow_loopback=environment != "production",
            )
        )
    return anchors


@asynccontextmanager
async def sealing(storage: Storage, keys: InstallationKeys, stop: asyncio.Event) -> AsyncGenerator[None]:
    """Run this process's sealer beside what the block does; after `stop` the batch under way is finished and the leases are given back.

    Raises:
        InvalidInput: a setting of the anchors cannot be used.
    """
    settings = SealingSettings()
    platform = PlatformSettings()
    anchors = build_anchors(settings, platform.environment, build_outbound(platform.environment))
    sealer = Sealer(
        SealingParts(
            tenants=storage.runs.tenants,
            store=PostgresSealer(storage.database, keys.heads),
            anchorage=storage.anchorage,
            anchors=anchors,
            holder=new_token(),
            pause_s=settings.seal_seconds,
            anchor_every_s=settings.anchor_seconds,
        )
    )
    try:
        async with beside(sealer.run(stop), stop):
            yield
    finally:
        for anchor in anchors:
            await anchor.aclose()
