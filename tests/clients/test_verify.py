"""The client's own check of a ledger says the same as the domain's, whatever is changed."""

import json
from base64 import b64encode
from dataclasses import replace

import httpx2
import pytest
from pydantic import JsonValue

from domain.ledger import ZERO_HASH, EntryBody, Kind, StoredEntry, entry_hash, verify_entries
from standfast_client.verify import Head, LedgerEntry, computed_hash, verify
from tests.clients.live_gateway import LiveGateway
from tests.clients.played import Played, client_of

RUN_ID, TENANT = "run_1", "default"
KINDS = (Kind.RUN_ACCEPTED, Kind.RUN_STARTED, Kind.MODEL_REQUESTED, Kind.STEP_COMPLETED, Kind.RUN_FINISHED)
FACTS = {2: 1, 4: 2, 5: 3}


def ledger() -> list[LedgerEntry]:
    """Return a whole chain of five entries, three of them facts, written with the domain's code."""
    entries: list[LedgerEntry] = []
    prev = ZERO_HASH
    for seq, kind in enumerate(KINDS, start=1):
        data: dict[str, JsonValue] = {"facts": 3} if kind == Kind.RUN_FINISHED else {"näme": "x"}
        body = EntryBody(
            kind=kind,
            at="2026-01-01T00:00:00.000000Z",
            principal="prn_1",
            correlation_id="c",
            epoch=1,
            fact_seq=FACTS.get(seq),
            step="pay" if seq == 4 else None,
            payload_digest="d" * 64 if seq == 3 else None,
            data=data,
        )
        columns = body.model_dump(include={"kind", "principal", "epoch", "fact_seq", "step", "payload_digest"})
        stored = StoredEntry(
            tenant=TENANT,
            run=RUN_ID,
            seq=seq,
            recorded_at_us=1_700_000_000_000_000 + seq,
            prev=prev,
            hash=b"",
            body=body.canonical(),
            **columns,
        )
        prev = entry_hash(stored)
        entries.append(LedgerEntry(**stored.model_copy(update={"hash": prev}).model_dump()))
    return entries


def rehashed(entries: list[LedgerEntry]) -> list[LedgerEntry]:
    """Forge the chain: make every hash fit again."""
    forged: list[LedgerEntry] = []
    prev = ZERO_HASH
    for entry in entries:
        unhashed = replace(entry, prev=prev)
        prev = computed_hash(unhashed)
        forged.append(replace(unhashed, hash=prev))
    return forged


def domain_verdict(entries: list[LedgerEntry], head: Head | None = None) -> int | None:
    """Return the first wrong entry that the domain finds."""
    stored = [StoredEntry.model_validate(vars(entry)) for entry in entries]
    broken = verify_entries(stored, head=(head.seq, head.hash) if head else None).broken
    return broken.seq if broken else None


CHANGES: dict[str, object] = {
    "tenant": "other",
    "run": "run_2",
    "seq": 9,
    "recorded_at_us": 5,
    "prev": b"\x01" * 32,
    "hash": b"\x02" * 32,
    "body": b'{"kind":"x"}',
    "kind": "agent:tool:called",
    "principal": "prn_2",
    "epoch": 2,
    "fact_seq": 7,
    "step": "other",
    "payload_digest": "e" * 64,
}


class TestChangedEntry:
    @pytest.mark.parametrize("place", range(5))
    @pytest.mark.parametrize("field", CHANGES)
    def test_is_named_and_the_domain_agrees(self, field: str, place: int) -> None:
        entries = ledger()
        entries[place] = replace(entries[place], **{field: CHANGES[field]})
        verdict = verify(RUN_ID, entries)
        assert verdict.broken_seq == place + 1 == domain_verdict(entries)
        assert verdict.reason

    @pytest.mark.parametrize("place", range(4))
    def test_that_is_gone_is_named(self, place: int) -> None:
        entries = ledger()
        del entries[place]
        assert verify(RUN_ID, entries).broken_seq == place + 1 == domain_verdict(entries)

    @pytest.mark.parametrize("column", ["kind", "principal", "epoch", "fact_seq", "step", "payload_digest"])
    def test_with_a_forged_chain_is_named_by_its_column(self, column: str) -> None:
        entries = ledger()
        entries[2] = replace(entries[2], **{column: CHANGES[column]})
        verdict = verify(RUN_ID, rehashed(entries))
        assert verdict.broken_seq == 3 == domain_verdict(rehashed(entries))
        assert column in (verdict.reason or "")

    @pytest.mark.parametrize("body", [b"[]", b"no json", b"\xff", b"{}"])
    def test_with_a_body_that_is_no_entry_is_named(self, body: bytes) -> None:
        entries = ledger()
        entries[1] = replace(entries[1], body=body)
        assert verify(RUN_ID, rehashed(entries)).broken_seq == 2

    def test_with_true_for_one_is_named(self) -> None:
        entries = ledger()
        said = json.loads(entries[1].body)
        entries[1] = replace(entries[1], body=json.dumps({**said, "epoch": True}).encode())
        assert verify(RUN_ID, rehashed(entries)).broken_seq == 2


class TestMissingEntries:
    def test_a_missing_tail_is_seen_by_the_head(self) -> None:
        whole = ledger()
        head = Head(5, whole[-1].hash)
        assert verify(RUN_ID, whole, head).ok
        assert verify(RUN_ID, whole[:4], head).broken_seq == 5 == domain_verdict(whole[:4], head)
        assert verify(RUN_ID, [], head).broken_seq == 1

    def test_another_last_entry_is_seen_by_the_head(self) -> None:
        whole = ledger()
        assert not verify(RUN_ID, whole, Head(5, b"\x03" * 32)).ok

    def test_a_fact_that_a_forged_chain_leaves_out_is_seen(self) -> None:
        entries = [entry for entry in ledger() if entry.fact_seq != 2]
        forged = rehashed([replace(entry, seq=place) for place, entry in enumerate(entries, start=1)])
        assert verify(RUN_ID, forged).broken_seq == 4 == domain_verdict(forged)

    def test_a_finished_run_counts_its_facts(self) -> None:
        entries = ledger()
        said = json.loads(entries[4].body)
        entries[4] = replace(entries[4], body=json.dumps({**said, "data": {"facts": 4}}).encode())
        assert verify(RUN_ID, rehashed(entries)).broken_seq == 5 == domain_verdict(rehashed(entries))


class TestWholeLedger:
    def test_verifies(self) -> None:
        entries = ledger()
        verdict = verify(RUN_ID, entries)
        assert verdict.ok
        assert (verdict.entries, verdict.head) == (5, entries[-1].hash.hex())

    def test_without_entries_verifies(self) -> None:
        assert verify(RUN_ID, [], Head(0, b"")).ok

    def test_of_another_run_does_not_verify(self) -> None:
        assert verify("run_2", ledger()).broken_seq == 1


class TestDownload:
    def test_verifies_a_ledger_of_the_gateway(self, live: LiveGateway) -> None:
        run = live.house.start()
        with live.client("auditor") as client:
            assert client.ledger.verify(run).ok
            assert [entry.seq for entry in client.ledger.entries(run)] == [1]

    def test_goes_on_from_page_to_page_and_never_asks_for_the_verdict(self) -> None:
        entries = ledger()
        played = Played(
            *(_page(entries[at : at + 2], head=5, last=entries[-1], following=following) for at, following in ((0, 2), (2, 4), (4, None)))
        )
        assert client_of(played).ledger.verify(RUN_ID).ok
        assert [request.url.params["after"] for request in played.asked] == ["0", "2", "4"]
        assert all(request.url.path == f"/v1/runs/{RUN_ID}/ledger" for request in played.asked)

    def test_asks_again_when_the_run_goes_on_meanwhile(self) -> None:
        entries = ledger()
        played = Played(_page(entries[:4], head=3, last=entries[2]), _page(entries[4:], head=5, last=entries[4]))
        verdict = client_of(played).ledger.verify(RUN_ID)
        assert (verdict.ok, verdict.entries) == (True, 5)

    def test_does_not_believe_a_head_that_stays_behind(self) -> None:
        entries = ledger()
        played = Played(_page(entries, head=3, last=entries[2]), _page([], head=3, last=entries[2]))
        assert client_of(played).ledger.verify(RUN_ID).broken_seq == 6


def _page(entries: list[LedgerEntry], *, head: int, last: LedgerEntry, following: int | None = None) -> httpx2.Response:
    stored = [StoredEntry.model_validate(vars(entry)) for entry in entries]
    rows = [{**entry.model_dump(exclude={"prev", "hash", "body"}), **_encoded(entry)} for entry in stored]
    return httpx2.Response(
        200, json={"run": RUN_ID, "head": {"seq": head, "hash": last.hash.hex()}, "entries": rows, "next_after": following}
    )


def _encoded(entry: StoredEntry) -> dict[str, str]:
    return {name: b64encode(getattr(entry, name)).decode() for name in ("prev", "hash", "body")}
