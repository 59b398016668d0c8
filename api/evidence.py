"""Writes evidence bundles piece by piece, so that a tenant's whole ledger never stands in memory at once."""

import json
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from itertools import pairwise

from pydantic import BaseModel, JsonValue

from api.deps import GatewayDeps, instant
from api.proof_views import ConsistencyView, head_view, inclusion_view, key_view
from domain.errors import NotFound
from domain.ledger import StoredEntry
from domain.stores import RunFilter
from domain.tree_heads import SignedTreeHead

FORMAT, VERSION = "standfast-evidence", 1
ENTRIES_PAGE = 1000
RUNS_PAGE = 200


class Evidence:
    """One bundle: of a run, or with `run` None of a tenant's whole ledger. The newest head is fixed first, so proofs fit each other."""

    def __init__(self, deps: GatewayDeps, tenant: str, run: str | None) -> None:
        self._deps = deps
        self._tenant = tenant
        self._run = run

    async def opened(self, since: Sequence[int]) -> AsyncGenerator[bytes]:
        """Check what was asked for, fix the heads, and return the bundle's bytes in pieces.

        Raises:
            NotFound: there is no such run.
        """
        if self._run is not None:
            await self._deps.ledger.head(self._tenant, self._run)
        return self._pieces(await self._heads(since))

    async def _heads(self, since: Sequence[int]) -> list[SignedTreeHead]:
        """Return the last head under each key and the remembered ones, the smallest first; what is not there proves nothing."""
        heads = {head.tree_size: head for head in await self._deps.tree.milestones(self._tenant)}
        for size in since:
            try:
                head = await self._deps.tree.head(self._tenant, size)
            except NotFound:
                continue
            if size <= max(heads, default=0):
                heads[size] = head
        return [heads[size] for size in sorted(heads)]

    async def _pieces(self, heads: Sequence[SignedTreeHead]) -> AsyncGenerator[bytes]:
        tree_size = heads[-1].tree_size if heads else 0
        opening: dict[str, JsonValue] = {
            "format": FORMAT,
            "v": VERSION,
            "tenant": self._tenant,
            "run": self._run,
            "exported_at": instant(self._deps.now()),
            "tree_heads": [_plain(head_view(head)) for head in heads],
            "public_keys": [_plain(key_view(key)) for key in await self._deps.tree.keys(self._tenant)],
            "consistency": [_plain(await self._joined(old, new)) for old, new in pairwise(heads)],
        }
        yield _dumped(opening)[:-1] + b',"entries":'
        async for piece in _array(self._entries(tree_size)):
            yield piece
        yield b',"inclusion":'
        async for piece in _array(self._inclusion(tree_size)):
            yield piece
        yield b"}\n"

    async def _joined(self, old: SignedTreeHead, new: SignedTreeHead) -> ConsistencyView:
        path = await self._deps.tree.consistency(self._tenant, old.tree_size, new.tree_size)
        return ConsistencyView(from_size=old.tree_size, to_size=new.tree_size, path=tuple(step.hex() for step in path))

    async def _entries(self, tree_size: int) -> AsyncIterator[list[JsonValue]]:
        async for run in self._runs():
            after = 0
            while True:
                entries = await self._deps.ledger.entries(self._tenant, run, after=after, limit=ENTRIES_PAGE)
                places = await self._deps.tree.leaf_indexes(self._tenant, run, after=after, limit=ENTRIES_PAGE)
                yield [_shown(entry, places.get(entry.seq), tree_size) for entry in entries]
                if len(entries) < ENTRIES_PAGE:
                    break
                after = entries[-1].seq

    async def _inclusion(self, tree_size: int) -> AsyncIterator[list[JsonValue]]:
        after = 0
        while self._run is not None and tree_size > 0:
            proofs = await self._deps.tree.inclusions(self._tenant, self._run, tree_size=tree_size, after=after, limit=ENTRIES_PAGE)
            yield [_plain(inclusion_view(proof)) for proof in proofs]
            if len(proofs) < ENTRIES_PAGE:
                break
            after = proofs[-1].seq

    async def _runs(self) -> AsyncIterator[str]:
        if self._run is not None:
            yield self._run
            return
        cursor: str | None = None
        while True:
            page = await self._deps.runs.page(self._tenant, RunFilter(limit=RUNS_PAGE, cursor=cursor))
            for row in page.items:
                yield row.run
            if page.next_cursor is None:
                return
            cursor = page.next_cursor


def _shown(entry: StoredEntry, leaf_index: int | None, tree_size: int) -> JsonValue:
    return {
        "run": entry.run,
        "seq": entry.seq,
        "recorded_at_us": entry.recorded_at_us,
        "prev_hash": entry.prev.hex(),
        "hash": entry.hash.hex(),
        "body": b64encode(entry.body).decode(),
        "leaf_index": leaf_index if leaf_index is not None and leaf_index < tree_size else None,
    }


async def _array(parts: AsyncIterator[list[JsonValue]]) -> AsyncIterator[bytes]:
    """Write lists of values as one JSON array."""
    begin = b"["
    async for part in parts:
        if part:
            yield begin + _dumped(part)[1:-1]
            begin = b","
    yield b"[]" if begin == b"[" else b"]"


def _dumped(value: JsonValue) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _plain(view: BaseModel) -> JsonValue:
    return view.model_dump(mode="json")
