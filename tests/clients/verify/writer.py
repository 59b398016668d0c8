"""Writes evidence bundles from their specification alone: nothing of the platform, nothing of the verifier.

The bytes are those of DESIGN §15, RFC 6962, RFC 8785 and RFC 8032. Bodies are
ASCII without fractions, where sorted compact JSON is RFC 8785.
"""

import base64
import hashlib
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.clients.verify.trees import audit_path, consistency_proof, tree_root

Json = dict[str, Any]  # Any: tests change whatever they like
START_US = 1_790_000_000_000_000


def jcs(value: Json) -> bytes:
    """Return canonical JSON of ASCII values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def entry_hash(tenant: str, entry: Json) -> str:
    """Return the hash of an entry as bundles write it."""
    parts = [b"standfast:entry:v1\0"]
    parts += [len(text.encode()).to_bytes(4, "big") + text.encode() for text in (tenant, entry["run"])]
    parts += [entry["seq"].to_bytes(8, "big", signed=True), bytes.fromhex(entry["prev_hash"])]
    parts += [entry["recorded_at_us"].to_bytes(8, "big", signed=True), base64.b64decode(entry["body"])]
    return hashlib.sha256(b"".join(parts)).hexdigest()


class Signer:
    """An Ed25519 key made from a name, so that a seed gives the same bundle again."""

    def __init__(self, name: str) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
        self.raw = self._private.public_key().public_bytes_raw()
        self.key_id = hashlib.sha256(self.raw).hexdigest()[:16]

    def public(self, valid_from_us: int = START_US - 1, valid_to_us: int | None = None) -> Json:
        """Return the public key as a bundle has it."""
        return {
            "key_id": self.key_id,
            "algorithm": "Ed25519",
            "public_key": base64.b64encode(self.raw).decode(),
            "valid_from_us": valid_from_us,
            "valid_to_us": valid_to_us,
        }

    def signed(self, head: Json) -> Json:
        """Return a head with this key's id and signature."""
        said = {**{name: head[name] for name in ("tenant", "tree_size", "root_hash")}, "timestamp_us": str(head["timestamp_us"])}
        signature = self._private.sign(b"standfast:tree-head:v1\0" + jcs({**said, "key_id": self.key_id}))
        return {**head, "key_id": self.key_id, "signature": base64.b64encode(signature).decode()}


@dataclass
class Ledger:
    """A tenant's ledger that is appended to and sealed; `leaves` are the sealed entries in the order of the log."""

    tenant: str = "acme"
    signer: Signer = field(default_factory=lambda: Signer("the sealer"))
    runs: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])
    leaves: list[Json] = field(default_factory=list[Json])
    heads: list[Json] = field(default_factory=list[Json])
    clock_us: int = START_US

    def append(self, run: str, body: Json) -> Json:
        """Append an entry with this body to a run's chain."""
        entries = self.runs.setdefault(run, [])
        self.clock_us += 1_000
        entry: Json = {"run": run, "seq": len(entries) + 1, "recorded_at_us": self.clock_us}
        entry |= {
            "prev_hash": entries[-1]["hash"] if entries else "0" * 64,
            "body": base64.b64encode(jcs(body)).decode(),
            "leaf_index": None,
        }
        entry["hash"] = entry_hash(self.tenant, entry)
        entries.append(entry)
        return entry

    def fact(self, run: str, kind: str, data: Json | None = None) -> Json:
        """Append a fact: the next of its run."""
        return self.append(run, body_of(kind, fact_seq=self._facts(run) + 1, data=data))

    def effect(self, run: str, kind: str) -> Json:
        """Append an entry that is no fact."""
        return self.append(run, body_of(kind, fact_seq=None, data={"state": "done"}))

    def finish(self, run: str) -> Json:
        """Append the fact that ends a run: it commits to their number and to the one before."""
        last = next(body for body in reversed(list(map(body_in, self.runs[run]))) if body["fact_seq"] is not None)
        digest = fact_digest(last)
        return self.fact(
            run, "workflow:run:finished", {"status": "succeeded", "code": "", "facts": self._facts(run) + 1, "last_digest": digest}
        )

    def _facts(self, run: str) -> int:
        return sum(body_in(entry)["fact_seq"] is not None for entry in self.runs.get(run, []))

    def seal(self) -> Json:
        """Give every entry that has none the next leaf, and sign a head."""
        for entries in self.runs.values():
            for entry in entries:
                if entry["leaf_index"] is None:
                    entry["leaf_index"] = len(self.leaves)
                    self.leaves.append(entry)
        self.clock_us += 1_000
        self.heads.append(self.signer.signed(self.head_at(len(self.leaves))))
        return self.heads[-1]

    def head_at(self, size: int) -> Json:
        """Return the unsigned head over the first `size` leaves."""
        return {
            "tenant": self.tenant,
            "tree_size": size,
            "root_hash": tree_root(self.leaf_data()[:size]).hex(),
            "timestamp_us": self.clock_us,
        }

    def leaf_data(self) -> list[bytes]:
        """Return what the leaves hold."""
        return [bytes.fromhex(leaf["hash"]) for leaf in self.leaves]

    def bundle(self, run: str | None = None) -> Json:
        """Return the evidence for one run, or for all."""
        entries = [dict(entry) for name, listed in self.runs.items() if run in {None, name} for entry in listed]
        sizes = [head["tree_size"] for head in self.heads]
        data = self.leaf_data()
        return {
            "format": "standfast-evidence",
            "v": 1,
            "tenant": self.tenant,
            "run": run,
            "exported_at": "2026-09-22T00:00:00.000000Z",
            "entries": entries,
            "tree_heads": [dict(head) for head in self.heads],
            "public_keys": [self.signer.public()],
            "inclusion": [inclusion(entry, data[: sizes[-1]]) for entry in entries if sizes and entry["leaf_index"] is not None],
            "consistency": [consistency(old, data[:new]) for old, new in itertools.pairwise(sizes) if old != new],
        }


def inclusion(entry: Json, data: list[bytes]) -> Json:
    """Return an entry's proof of inclusion in the tree over `data`."""
    path = [step.hex() for step in audit_path(entry["leaf_index"], data)]
    return {"run": entry["run"], "seq": entry["seq"], "leaf_index": entry["leaf_index"], "tree_size": len(data), "path": path}


def consistency(from_size: int, data: list[bytes]) -> Json:
    """Return the proof that the tree over `data` begins with its first `from_size` leaves."""
    return {"from_size": from_size, "to_size": len(data), "path": [step.hex() for step in consistency_proof(from_size, data)]}


def body_of(kind: str, *, fact_seq: int | None, data: Json | None = None) -> Json:
    """Return an entry's body."""
    said: Json = {"v": 1, "kind": kind, "at": "2026-09-22T00:00:00.000000Z", "principal": "prn_1", "correlation_id": "c-1", "epoch": 0}
    said |= {"fact_seq": fact_seq, "step": "pay", "visit": 1, "call": None, "attempt": None, "payload_digest": None, "data": data or {}}
    return said


def body_in(entry: Json) -> Json:
    """Return the body that an entry holds."""
    return json.loads(base64.b64decode(entry["body"]))


def fact_digest(body: Json) -> str:
    """Return the digest of the fact of a body, whose principal is the run's."""
    fact = {name: body[name] for name in ("at", "call", "data", "epoch", "kind", "step", "visit")}
    return hashlib.sha256(b"standfast:fact:v1\0" + jcs({**fact, "seq": body["fact_seq"], "principal": None})).hexdigest()


def sample_ledger() -> Ledger:
    """Return a ledger of four runs and 25 entries: three ended, one open, three heads, and two entries that no head covers yet."""
    ledger = Ledger()
    for name in ("run_a", "run_b", "run_c"):
        ledger.effect(name, "gateway:run:accepted")
        ledger.fact(name, "workflow:run:started")
    ledger.seal()
    for name in ("run_a", "run_b"):
        ledger.fact(name, "workflow:step:entered")
        ledger.effect(name, "agent:tool:requested")
        ledger.effect(name, "agent:tool:called")
        ledger.fact(name, "workflow:step:completed", {"digest": "d" * 64})
        ledger.finish(name)
    ledger.seal()
    ledger.fact("run_c", "workflow:step:skipped")
    ledger.finish("run_c")
    ledger.effect("run_c", "worker:effect:settled_late")
    ledger.effect("run_d", "gateway:run:accepted")
    ledger.fact("run_d", "workflow:run:started")
    ledger.effect("run_d", "agent:model:requested")
    ledger.effect("run_d", "agent:model:answered")
    ledger.seal()
    ledger.fact("run_d", "workflow:step:entered")
    ledger.effect("run_d", "agent:tool:requested")
    return ledger
