"""How many ledger entries a second are verified on one core, from the stored bytes as they were downloaded.

    python -m benchmarks.verify_speed [--entries 100000] [--per-run 500]

Nothing is asked of any server. The chain pass recomputes every hash and link, by the client's code and by the stand-alone verifier's, which
share none; both passes of the client also decode each body and compare its columns; a whole tenant's evidence bundle goes through parsing,
chain, bodies, the roots over all leaves and a signature. Goal: the chain pass at 100,000 entries a second.
"""

import argparse
import base64
import json
import time
from collections.abc import Callable
from typing import NamedTuple

from adapters.codec.head_keys import DerivedHeadKeys
from benchmarks.step_overhead import load
from domain.ledger import ZERO_HASH, EntryBody, Kind, StoredEntry, entry_hash
from domain.merkle import Frontier, leaf_hash
from domain.tree_heads import PublicKey, SignedTreeHead, TreeHead, key_id_of
from standfast_client.verify import LedgerEntry, verify, verify_chain
from standfast_verify import bundle_of, verify_bundle
from standfast_verify.bundle import Entry
from standfast_verify.chain import chain_problems

GOAL = 100_000
TENANT = "default"
ROUNDS = 3
"""The best of so many turns counts: others use the box too."""


class Ledger(NamedTuple):
    """Runs with their entries, in the order of recording."""

    runs: dict[str, list[StoredEntry]]

    def all(self) -> list[StoredEntry]:
        """Return every entry."""
        return [entry for chain in self.runs.values() for entry in chain]


def ledger(entries: int, per_run: int) -> Ledger:
    """Write a ledger of tool calls with the platform's own code."""
    runs: dict[str, list[StoredEntry]] = {}
    for number in range(entries):
        run = f"run_{number // per_run:026d}"
        chain = runs.setdefault(run, [])
        body = EntryBody(
            kind=Kind.TOOL_CALLED,
            at="2026-03-01T12:00:00.000000Z",
            principal="prn_00000000000000000000000001",
            correlation_id="4f1c2a9e0b7d4c55",
            epoch=1,
            step=f"review.tools.{number % 7}",
            visit=1,
            call="3.0",
            attempt=1,
            payload_digest="9f" * 32,
            data={"state": "done", "input_tokens": 1200, "output_tokens": 240, "cost_usd_micros": "4800"},
        )
        columns = body.model_dump(include={"kind", "principal", "epoch", "fact_seq", "step", "payload_digest"})
        seq, prev = len(chain) + 1, chain[-1].hash if chain else ZERO_HASH
        recorded = 1_700_000_000_000_000 + number
        bare = StoredEntry(tenant=TENANT, run=run, seq=seq, recorded_at_us=recorded, prev=prev, hash=b"", body=body.canonical(), **columns)
        chain.append(bare.model_copy(update={"hash": entry_hash(bare)}))
    return Ledger(runs)


def bundle(whole: Ledger) -> bytes:
    """Return the tenant's evidence bundle as a file."""
    entries = whole.all()
    tree, _ = Frontier().extended(leaf_hash(entry.hash) for entry in entries)
    keys = DerivedHeadKeys(b"m" * 32)
    public = keys.public(TENANT, 1)
    key = PublicKey(tenant=TENANT, key_id=key_id_of(public), public_key=public, generation=1, valid_from_us=0)
    said = TreeHead(
        tenant=TENANT, tree_size=tree.size, root_hash=tree.root(), timestamp_us=entries[-1].recorded_at_us + 1, key_id=key.key_id
    )
    head = SignedTreeHead(**said.model_dump(), signature=keys.sign(TENANT, 1, said.signed_bytes()))
    return json.dumps(
        {
            "format": "standfast-evidence",
            "v": 1,
            "tenant": TENANT,
            "run": None,
            "exported_at": "2026-03-01T12:00:00.000000Z",
            "entries": [
                {
                    "run": entry.run,
                    "seq": entry.seq,
                    "recorded_at_us": entry.recorded_at_us,
                    "prev_hash": entry.prev.hex(),
                    "hash": entry.hash.hex(),
                    "body": base64.b64encode(entry.body).decode(),
                    "leaf_index": place,
                }
                for place, entry in enumerate(entries)
            ],
            "tree_heads": [head.document()],
            "public_keys": [key.document()],
            "inclusion": [],
            "consistency": [],
        }
    ).encode()


def rate(check: Callable[[], bool], entries: int) -> float:
    """Return entries a second of CPU time, the best of some rounds.

    Raises:
        AssertionError: the ledger was found wrong.
    """
    best = 0.0
    for _ in range(ROUNDS):
        started = time.process_time()
        if not check():
            raise AssertionError("a whole ledger was found wrong")
        best = max(best, entries / (time.process_time() - started))
    return best


def measure(entries: int, per_run: int) -> None:
    """Measure and print."""
    whole = ledger(entries, per_run)
    ours = {run: [LedgerEntry(**entry.model_dump()) for entry in chain] for run, chain in whole.runs.items()}
    alone = {run: [Entry(e.run, e.seq, e.recorded_at_us, e.prev, e.hash, e.body, None) for e in chain] for run, chain in whole.runs.items()}
    size = sum(len(entry.body) for entry in whole.all()) / entries
    content = bundle(whole)
    rates = {
        "chain pass, client": rate(lambda: all(verify_chain(run, chain).ok for run, chain in ours.items()), entries),
        "chain pass, stand-alone verifier": rate(
            lambda: not any(True for run, chain in alone.items() for _ in chain_problems(TENANT, run, chain)), entries
        ),
        "chain and columns, client": rate(lambda: all(verify(run, chain).ok for run, chain in ours.items()), entries),
        "whole bundle from its file, stand-alone": rate(lambda: not verify_bundle(bundle_of(json.loads(content))).problems, entries),
    }
    print(f"{entries:,} entries of {size:.0f} bytes in {len(whole.runs)} runs, one core; {load()}")
    for name, found in rates.items():
        print(f"  {name:<42} {found:>10,.0f} entries/s")
    chain = min(found for name, found in rates.items() if name.startswith("chain pass"))
    print(f"goal {GOAL:,} entries/s in the chain pass: {'reached' if chain >= GOAL else 'MISSED'} ({chain / GOAL:.1f} of it)")


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description="Measure how fast ledgers are verified.")
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--per-run", type=int, default=500)
    given = parser.parse_args()
    measure(given.entries, given.per_run)


if __name__ == "__main__":
    main()
