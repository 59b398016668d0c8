"""A tenant's signed log: heads, keys, proofs and evidence bundles."""

from collections.abc import Sequence

from standfast_client.exchange import Flow, Link, get, parse, post
from standfast_client.flows.paging import paged
from standfast_client.flows.runs import run_path
from standfast_client.proofs import Consistency, Inclusion, ProofPart, PublicKey, PublicKeys, TreeHead


def heads(link: Link, *, limit: int) -> Flow[list[TreeHead]]:
    """Read up to `limit` heads, newest first."""
    return (yield from paged(link, "/ledger/heads", TreeHead, limit))


def head(link: Link, tree_size: int) -> Flow[TreeHead]:
    """Read the head of a size."""
    return parse((yield from link.ask(get(f"/ledger/heads/{tree_size}"))), TreeHead)


def keys(link: Link) -> Flow[list[PublicKey]]:
    """Read all keys."""
    return parse((yield from link.ask(get("/ledger/keys"))), PublicKeys).public_keys


def rotate_key(link: Link, *, idempotency_key: str | None) -> Flow[PublicKey]:
    """End the current key's time and begin the next one's."""
    return parse((yield from link.ask(post("/ledger/keys/rotate", {}, idempotency_key=idempotency_key))), PublicKey)


def inclusion(link: Link, run: str, *, tree_size: int | None) -> Flow[list[Inclusion]]:
    """Read the proofs of all sealed entries of a run; all parts are under the head of the first."""
    found: list[Inclusion] = []
    after: int | None = 0
    while after is not None:
        part = parse((yield from link.ask(get(f"{run_path(run)}/ledger/proof", after=after, size=tree_size))), ProofPart)
        found += part.inclusion
        tree_size = part.head.tree_size if part.head is not None else tree_size
        after = part.next_after
    return found


def consistency(link: Link, from_size: int, to_size: int) -> Flow[Consistency]:
    """Read the proof that joins two tree sizes."""
    return parse((yield from link.ask(get("/ledger/consistency", **{"from": from_size, "to": to_size}))), Consistency)


def bundle(link: Link, run: str | None, *, since: Sequence[int]) -> Flow[bytes]:
    """Download an evidence bundle, as the file it is."""
    path = "/ledger/bundle" if run is None else f"{run_path(run)}/ledger/bundle"
    answer = yield from link.ask(get(path, since=[str(size) for size in since] or None))
    return answer.content
