"""Ways to tamper with evidence, each with the places a verifier must name; what a tamperer with every right could try."""

import base64
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.clients.verify.flips import flipped
from tests.clients.verify.writer import START_US, Json, Ledger, Signer, body_in, entry_hash, jcs, sample_ledger

THIEF = Signer("a thief")
Place = tuple[str, str | int, int]
"""("entry", run, sequence), ("head", "", size), ("leaf", "", index), ("key", id, 0), ("file", part of the message, character or 0)."""


@dataclass(frozen=True)
class Tampered:
    """A changed bundle file; naming one of `places` is a right answer. `remember` says whether the auditor kept heads."""

    file: bytes
    places: frozenset[Place]
    remember: bool = True


class Evidence:
    """Good evidence to tamper with: of a tenant, or of one run. Each tamper works on copies."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self._ledger = sample_ledger()
        self._bundles: dict[str | None, Json] = {run: self._ledger.bundle(run) for run in (None, *self._ledger.runs)}

    def ledger(self) -> Ledger:
        """Return a ledger to rewrite."""
        return copy.deepcopy(self._ledger)

    def runs(self) -> list[str | None]:
        """Return what there are bundles of: each run, and None for the whole ledger."""
        return list(self._bundles)

    def bundle_of(self, run: str | None) -> Json:
        """Return a certain bundle to change."""
        return copy.deepcopy(self._bundles[run])

    def bundle(self, *, whole: bool = False) -> Json:
        """Return a bundle to change: that of the tenant, or any."""
        return self.bundle_of(None if whole else self.rng.choice(self.runs()))

    def sealed(self, bundle: Json) -> int:
        """Return the place of some sealed entry in a bundle."""
        return self.rng.choice([place for place, entry in enumerate(bundle["entries"]) if entry["leaf_index"] is not None])

    def trusted_keys(self) -> list[Json]:
        """Return the keys that the auditor trusts."""
        return [self._ledger.signer.public()]

    def remembered(self) -> list[Json]:
        """Return the heads that the auditor kept."""
        return self._ledger.heads[1:]


def written(bundle: Json) -> bytes:
    """Return a bundle as a file: compact, so that no byte of it is without meaning."""
    return json.dumps(bundle, separators=(",", ":")).encode()


def at(entry: Json) -> Place:
    """Return the place of an entry."""
    return ("entry", entry["run"], entry["seq"])


def around(entry: Json) -> frozenset[Place]:
    """Return an entry's places for which a wrong link is shown at the next one."""
    return frozenset({at(entry), ("entry", entry["run"], entry["seq"] + 1)})


def any_byte(evidence: Evidence) -> Tampered:
    """Change one byte of the file."""
    return Tampered(*flipped(evidence.bundle(), evidence.rng))


def row_deleted(evidence: Evidence) -> Tampered:
    """Take a sealed row out, with or without its proof; in a run's own bundle not the last, which only the whole ledger can miss."""
    bundle = evidence.bundle()
    rows = [entry for entry in bundle["entries"] if entry["leaf_index"] is not None]
    row = evidence.rng.choice(rows if bundle["run"] is None else rows[:-1])
    bundle["entries"].remove(row)
    if evidence.rng.random() < 0.5:
        bundle["inclusion"] = [proof for proof in bundle["inclusion"] if (proof["run"], proof["seq"]) != (row["run"], row["seq"])]
    return Tampered(written(bundle), frozenset({at(row), ("leaf", "", row["leaf_index"])}))


def row_doubled(evidence: Evidence) -> Tampered:
    """Write a row twice."""
    bundle = evidence.bundle()
    row = evidence.rng.choice(bundle["entries"])
    bundle["entries"].insert(evidence.rng.randrange(len(bundle["entries"]) + 1), dict(row))
    return Tampered(written(bundle), frozenset({at(row)}))


def rows_reordered(evidence: Evidence) -> Tampered:
    """Exchange two neighbours of a run: as they stand, or with exchanged sequence numbers too."""
    bundle = evidence.bundle()
    entries = bundle["entries"]
    place = evidence.rng.choice([p for p in range(len(entries) - 1) if entries[p]["run"] == entries[p + 1]["run"]])
    first, second = entries[place], entries[place + 1]
    places = frozenset({at(first), at(second)})
    entries[place], entries[place + 1] = second, first
    if evidence.rng.random() < 0.5:
        first["seq"], second["seq"] = second["seq"], first["seq"]
    return Tampered(written(bundle), places)


def body_changed(evidence: Evidence) -> Tampered:
    """Say something else in a sealed row, and perhaps make the row's own hash fit."""
    bundle = evidence.bundle()
    row = bundle["entries"][evidence.sealed(bundle)]
    row["body"] = base64.b64encode(jcs({**body_in(row), "principal": "prn_2"})).decode()
    if evidence.rng.random() < 0.5:
        row["hash"] = entry_hash(bundle["tenant"], row)
    return Tampered(written(bundle), around(row))


def time_changed(evidence: Evidence) -> Tampered:
    """Move a row's time of recording."""
    bundle = evidence.bundle()
    row = evidence.rng.choice(bundle["entries"])
    row["recorded_at_us"] += evidence.rng.choice((-1, 1, 3_600_000_000))
    return Tampered(written(bundle), frozenset({at(row)}))


def seal_removed(evidence: Evidence) -> Tampered:
    """Say of a row of the tenant's ledger that no head covers it yet."""
    bundle = evidence.bundle(whole=True)
    row = bundle["entries"][evidence.sealed(bundle)]
    places = frozenset({("leaf", "", row["leaf_index"]), *around(row)})
    row["leaf_index"] = None
    bundle["inclusion"] = [proof for proof in bundle["inclusion"] if (proof["run"], proof["seq"]) != (row["run"], row["seq"])]
    return Tampered(written(bundle), places)


def proofs_swapped(evidence: Evidence) -> Tampered:
    """Exchange the ways of two proofs of inclusion."""
    bundle = evidence.bundle()
    first, second = evidence.rng.sample(bundle["inclusion"], 2)
    first["path"], second["path"] = second["path"], first["path"]
    return Tampered(written(bundle), frozenset({at(first), at(second)}))


def growth_bent(evidence: Evidence) -> Tampered:
    """Change a proof between two heads, or leave it out where nothing else proves the same."""
    bundle = evidence.bundle()
    proof = evidence.rng.choice(bundle["consistency"])
    places: frozenset[Place] = frozenset({("head", "", proof["to_size"]), ("head", "", proof["from_size"])})
    if bundle["run"] is not None and evidence.rng.random() < 0.5:
        bundle["consistency"].remove(proof)
    else:
        proof["path"][evidence.rng.randrange(len(proof["path"]))] = evidence.rng.randbytes(32).hex()
    return Tampered(written(bundle), places)


def tail_cut(evidence: Evidence) -> Tampered:
    """Cut the tenant's ledger after an older head: only its rows, or every trace of the later heads too."""
    ledger = evidence.ledger()
    kept = evidence.rng.randrange(len(ledger.heads) - 1)
    size: int = ledger.heads[kept]["tree_size"]
    if evidence.rng.random() < 0.5:
        bundle = ledger.bundle()
        bundle["entries"] = [entry for entry in bundle["entries"] if entry["leaf_index"] is not None and entry["leaf_index"] < size]
        there = {(entry["run"], entry["seq"]) for entry in bundle["entries"]}
        bundle["inclusion"] = [proof for proof in bundle["inclusion"] if (proof["run"], proof["seq"]) in there]
        return Tampered(written(bundle), frozenset({("leaf", "", size)}))
    later = frozenset[Place](("head", "", head["tree_size"]) for head in ledger.heads[kept + 1 :])
    ledger.heads, ledger.leaves = ledger.heads[: kept + 1], ledger.leaves[:size]
    ledger.runs = {
        run: listed for run, rows in ledger.runs.items() if (listed := [row for row in rows if row["leaf_index"] in range(size)])
    }
    return Tampered(written(ledger.bundle()), later)


def head_forged(evidence: Evidence) -> Tampered:
    """Replace a head: another root, size or time; unsigned, or signed by a thief, or by the right key outside of its time."""
    bundle, ledger = evidence.bundle(), evidence.ledger()
    place = evidence.rng.randrange(len(bundle["tree_heads"]))
    head = bundle["tree_heads"][place]
    size: int = head["tree_size"]
    way = evidence.rng.randrange(4)
    if way == 0:
        bundle["tree_heads"][place] = THIEF.signed({**head, "root_hash": evidence.rng.randbytes(32).hex()})
    elif way == 1:
        head["root_hash"] = evidence.rng.randbytes(32).hex()
    elif way == 2:
        head["tree_size"] += 1
    else:
        bundle["tree_heads"][place] = ledger.signer.signed({**head, "timestamp_us": START_US - 2_000})
    return Tampered(written(bundle), frozenset({("head", "", size), ("head", "", size + 1)}))


def key_swapped(evidence: Evidence) -> Tampered:
    """Put a thief's key in the place of the sealer's: under its id, or with every head signed anew."""
    bundle = evidence.bundle()
    key = bundle["public_keys"][0]
    if evidence.rng.random() < 0.5:
        places: frozenset[Place] = frozenset({("key", key["key_id"], 0)})
        key["public_key"] = THIEF.public()["public_key"]
    else:
        places = frozenset({("key", THIEF.key_id, 0)})
        bundle["public_keys"] = [THIEF.public()]
        bundle["tree_heads"] = [THIEF.signed(head) for head in bundle["tree_heads"]]
    return Tampered(written(bundle), places)


def run_rewritten(evidence: Evidence) -> Tampered:
    """Rewrite a run from one sealed row on, every hash made to fit; heads stay, or are made anew by a thief or with the right key."""
    ledger = evidence.ledger()
    run = evidence.rng.choice(list(ledger.runs))
    row = evidence.rng.choice([entry for entry in ledger.runs[run] if entry["leaf_index"] is not None])
    proofs = ledger.bundle()["inclusion"]
    row["body"] = base64.b64encode(jcs({**body_in(row), "principal": "prn_2"})).decode()
    _rechain(ledger, run)
    way = evidence.rng.randrange(3)
    places: frozenset[Place] = around(row)
    if way:
        signer = THIEF if way == 1 else ledger.signer
        ledger.heads = [_resigned(ledger, signer, head) for head in ledger.heads]
        places = frozenset({("key", THIEF.key_id, 0)} if way == 1 else {("head", "", head["tree_size"]) for head in ledger.heads})
    bundle = ledger.bundle(run if evidence.rng.random() < 0.5 else None)
    if way == 1:
        bundle["public_keys"] = [THIEF.public()]
    elif way == 0:
        bundle["inclusion"] = [proof for proof in proofs if bundle["run"] in {None, proof["run"]}]
    return Tampered(written(bundle), places)


def fact_left_out(evidence: Evidence) -> Tampered:
    """Leave facts out of an ended run, then hash and sign everything anew with the right key; nobody kept a head."""
    ledger = evidence.ledger()
    run = evidence.rng.choice(["run_a", "run_b"])
    facts = [row for row in ledger.runs[run] if body_in(row)["fact_seq"] is not None]
    gone = evidence.rng.choice(facts[:-1])
    ledger.runs[run].remove(gone)
    ledger.leaves.remove(gone)
    following = next(row for row in facts if row["seq"] > gone["seq"])
    _rechain(ledger, run)
    for place, leaf in enumerate(ledger.leaves):
        leaf["leaf_index"] = place
    ledger.heads = [_resigned(ledger, ledger.signer, {**ledger.heads[-1], "tree_size": len(ledger.leaves)})]
    return Tampered(written(ledger.bundle(evidence.rng.choice([run, None]))), frozenset({at(following)}), remember=False)


def _rechain(ledger: Ledger, run: str) -> None:
    prev = "0" * 64
    for place, entry in enumerate(ledger.runs[run], start=1):
        entry |= {"seq": place, "prev_hash": prev}
        entry["hash"] = prev = entry_hash(ledger.tenant, entry)


def _resigned(ledger: Ledger, signer: Signer, head: Json) -> Json:
    fresh = ledger.head_at(head["tree_size"])
    return signer.signed({**fresh, "timestamp_us": head["timestamp_us"]})


TAMPERS: dict[str, Callable[[Evidence], Tampered]] = {
    "any byte": any_byte,
    "row deleted": row_deleted,
    "row doubled": row_doubled,
    "rows reordered": rows_reordered,
    "body changed": body_changed,
    "time changed": time_changed,
    "seal removed": seal_removed,
    "inclusion proofs swapped": proofs_swapped,
    "consistency proof bent": growth_bent,
    "cut after a head": tail_cut,
    "head forged": head_forged,
    "key swapped": key_swapped,
    "run rewritten": run_rewritten,
    "fact left out": fact_left_out,
}
WEIGHTS = [8, *[1] * (len(TAMPERS) - 1)]
"""Every third tamper changes a byte somewhere."""
