"""Verification of a ledger: every kind of tampering is found, and named by its entry."""

import json
import re
from collections.abc import Callable

import pytest
from pydantic import JsonValue

from domain.ledger import ZERO_HASH, EntryBody, Kind, StoredEntry, entry_hash, verify_entries

AT = "2026-03-01T12:00:00.000000Z"
Tamper = Callable[[list[StoredEntry]], list[StoredEntry]]


def chain(*bodies: EntryBody) -> list[StoredEntry]:
    """Build a chain that holds."""
    entries: list[StoredEntry] = []
    for body in bodies:
        bare = StoredEntry(
            tenant="acme",
            run="run_1",
            seq=len(entries) + 1,
            recorded_at_us=1_000_000 + len(entries),
            prev=entries[-1].hash if entries else ZERO_HASH,
            hash=b"",
            body=body.canonical(),
            kind=body.kind,
            principal=body.principal,
            epoch=body.epoch,
            fact_seq=body.fact_seq,
            step=body.step,
            payload_digest=body.payload_digest,
        )
        entries.append(sealed(bare))
    return entries


def sealed(entry: StoredEntry) -> StoredEntry:
    """Return the entry with the hash of its bytes."""
    return entry.model_copy(update={"hash": entry_hash(entry)})


def body(kind: str, fact_seq: int | None = None, **data: JsonValue) -> EntryBody:
    """Build a body."""
    return EntryBody(kind=kind, at=AT, principal="prn_a", correlation_id="c", epoch=1, fact_seq=fact_seq, step="pay", data=data)


GOOD = chain(
    body(Kind.RUN_ACCEPTED),
    body(Kind.RUN_STARTED, 1),
    body(Kind.TOOL_REQUESTED),
    body(Kind.TOOL_CALLED, amount="80"),
    body(Kind.RUN_FINISHED, 2, facts=2),
)


def rechained(entries: list[StoredEntry]) -> list[StoredEntry]:
    """Return the entries with all hashes made anew, as an attacker with the database would."""
    made: list[StoredEntry] = []
    for place, entry in enumerate(entries, start=1):
        made.append(sealed(entry.model_copy(update={"seq": place, "prev": made[-1].hash if made else ZERO_HASH})))
    return made


def changed(place: int, **fields: object) -> Tamper:
    """Return a tampering that changes one entry."""
    return lambda entries: [e.model_copy(update=fields) if n == place else e for n, e in enumerate(entries)]


def without(place: int) -> Tamper:
    """Return a tampering that takes out one entry."""
    return lambda entries: entries[:place] + entries[place + 1 :]


def swapped(entries: list[StoredEntry]) -> list[StoredEntry]:
    """Swap two entries."""
    return [entries[0], entries[2], entries[1], *entries[3:]]


def anew(tamper: Tamper) -> Tamper:
    """Return a tampering after which all hashes are made anew."""
    return lambda entries: rechained(tamper(entries))


def other_end(entries: list[StoredEntry]) -> list[StoredEntry]:
    """Replace the end by one that commits another number of facts."""
    return [*entries[:4], *chain(body(Kind.RUN_FINISHED, 2, facts=3))]


def no_tail(entries: list[StoredEntry]) -> list[StoredEntry]:
    """Cut the end off."""
    return entries[:4]


class TestVerification:
    def test_passes_a_chain_that_holds(self) -> None:
        verdict = verify_entries(GOOD, head=(5, GOOD[-1].hash))
        assert (verdict.ok, verdict.entries, verdict.head) == (True, 5, GOOD[-1].hash.hex())

    def test_passes_an_empty_ledger(self) -> None:
        assert verify_entries([], head=(0, ZERO_HASH)).ok

    @pytest.mark.parametrize(
        ("tamper", "seq", "reason"),
        [
            (changed(3, body=GOOD[3].body.replace(b'"80"', b'"90"')), 4, "its hash does not fit its stored bytes"),
            (changed(2, recorded_at_us=5), 3, "its hash does not fit"),
            (changed(2, tenant="other"), 3, "its hash does not fit"),
            (changed(2, run="run_2"), 3, "its hash does not fit"),
            (changed(2, hash=bytes(32)), 3, "its hash does not fit"),
            (changed(3, prev=bytes(32)), 4, "its previous hash"),
            (without(2), 3, "entry 3 is missing"),
            (swapped, 2, "entry 2 is missing"),
            (changed(3, kind=Kind.TOOL_FAILED), 4, "its column kind"),
            (changed(3, principal="prn_b"), 4, "its column principal"),
            (changed(3, epoch=2), 4, "its column epoch"),
            (changed(3, fact_seq=9), 4, "its column fact_seq"),
            (changed(3, step="other"), 4, "its column step"),
            (changed(3, payload_digest="0"), 4, "its column payload_digest"),
            (anew(changed(3, body=b"{")), 4, "its body is no JSON"),
            (anew(without(1)), 4, "fact 1 is missing"),
            (anew(other_end), 5, "finished with 3 facts"),
        ],
    )
    def test_names_the_first_wrong_entry(self, tamper: Tamper, seq: int, reason: str) -> None:
        broken = verify_entries(tamper(GOOD)).broken
        assert broken is not None
        assert broken.seq == seq
        assert reason in broken.reason

    @pytest.mark.parametrize("tamper", [no_tail, anew(without(3))])
    def test_finds_a_missing_tail_by_the_runs_head(self, tamper: Tamper) -> None:
        broken = verify_entries(tamper(GOOD), head=(5, GOOD[-1].hash)).broken
        assert broken is not None
        assert "head names entry 5" in broken.reason

    def test_finds_a_changed_chain_of_the_same_length_by_the_runs_head(self) -> None:
        forged = rechained(changed(3, body=GOOD[3].body.replace(b'"80"', b'"90"'))(GOOD))
        assert verify_entries(forged).ok
        assert not verify_entries(forged, head=(5, GOOD[-1].hash)).ok


def test_a_body_is_canonical_json() -> None:
    raw = body(Kind.RUN_STARTED, 1, b=1, a="x").canonical()
    assert list(json.loads(raw)["data"]) == ["a", "b"]
    assert b" " not in raw.replace(b"run started", b"")


class TestKinds:
    @pytest.mark.parametrize("kind", list(Kind))
    def test_say_source_subject_and_action(self, kind: Kind) -> None:
        sources = "gateway|workflow|worker|agent|human|platform"
        assert re.fullmatch(rf"({sources}):[a-z]+:[a-z_]+", kind), kind
