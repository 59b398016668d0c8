"""Events are made from ledger entries: the same id for ever, types that filters name, nothing but what the entry says."""

import json

import pytest
from pydantic import JsonValue

from domain.errors import InvalidInput
from domain.events import (
    FILTERS_MAX,
    LEDGER_ENTRY,
    RelayEntry,
    checked_filters,
    delivery_id,
    event_id,
    event_type,
    events_of,
    known_types,
    matches,
)
from domain.ids import parse_id
from domain.ledger import EntryBody, Kind

AT = "2026-01-05T09:00:00.000000Z"


def entry(kind: str = Kind.APPROVAL_OPENED, seq: int = 7, data: dict[str, JsonValue] | None = None) -> RelayEntry:
    """Build an entry."""
    body = EntryBody(kind=kind, at=AT, principal="prn_a", correlation_id="corr", epoch=1, fact_seq=3, step="gate", visit=1, data=data or {})
    return RelayEntry(tenant="acme", run="run_1", seq=seq, hash="ab" * 32, recorded_at=AT, definition="claims", version="1.0.0", body=body)


class TestEvent:
    def test_has_the_type_and_the_words_of_its_entry(self) -> None:
        own, _ = events_of(entry(data={"approval": "apr_1"}))
        said = json.loads(own.body())
        assert (said["type"], said["timestamp"], said["run"], said["tenant"]) == ("approval.opened", AT, "run_1", "acme")
        assert said["data"]["details"] == {"approval": "apr_1"}
        assert (said["data"]["sequence"], said["data"]["hash"], said["data"]["step"]) == (7, "ab" * 32, "gate")
        assert (said["data"]["definition"], said["data"]["kind"]) == ("claims", "workflow:approval:opened")

    def test_gives_the_whole_entry_to_who_asks_for_entries(self) -> None:
        _, whole = events_of(entry())
        assert whole.type == LEDGER_ENTRY
        assert whole.data["entry"] == json.loads(entry().body.canonical())

    def test_has_the_same_id_and_bytes_whenever_it_is_made(self) -> None:
        first, again = events_of(entry())[0], events_of(entry())[0]
        assert first.body() == again.body()
        assert parse_id(first.id, "evt") == again.id

    def test_has_another_id_for_another_entry_type_or_tenant(self) -> None:
        ids = {event.id for seq in (7, 8) for event in events_of(entry(seq=seq))}
        assert len(ids | {event_id("beta", "run_1", 7, "approval.opened")}) == 5

    def test_its_delivery_to_another_endpoint_is_another_delivery(self) -> None:
        names = {delivery_id("evt_1", channel, endpoint) for channel in ("webhook", "email") for endpoint in ("a", "b")}
        assert len(names) == 4
        assert all(parse_id(name, "dlv") for name in names)

    def test_lengths_are_part_of_what_an_id_comes_from(self) -> None:
        assert delivery_id("evt_1", "ab", "c") != delivery_id("evt_1", "a", "bc")


class TestEventType:
    @pytest.mark.parametrize(
        ("kind", "data", "wanted"),
        [
            (Kind.RUN_FINISHED, {"status": "succeeded"}, "run.succeeded"),
            (Kind.RUN_FINISHED, {"status": "failed"}, "run.failed"),
            (Kind.RUN_START_EXPIRED, {}, "run.expired"),
            (Kind.BUDGET_PASSED, {}, "budget.passed"),
            (Kind.APPROVAL_REFUSED, {}, "decision.refused"),
        ],
    )
    def test_is_subject_and_action(self, kind: Kind, data: dict[str, JsonValue], wanted: str) -> None:
        assert event_type(kind, data) == wanted

    def test_every_kind_has_a_known_one(self) -> None:
        assert {event_type(kind, {"status": "cancelled"}) for kind in Kind} <= set(known_types())


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "name", "taken"),
        [
            (["run.succeeded"], "run.succeeded", True),
            (["run.succeeded"], "run.failed", False),
            (["run.*"], "run.failed", True),
            (["run.*"], "runner.failed", False),
            (["*"], "approval.opened", True),
            (["*"], LEDGER_ENTRY, False),
            (["ledger.*"], LEDGER_ENTRY, False),
            ([LEDGER_ENTRY], LEDGER_ENTRY, True),
            (["approval.*", "run.failed"], "run.failed", True),
            ([], "run.failed", False),
        ],
    )
    def test_take_what_they_name(self, filters: list[str], name: str, *, taken: bool) -> None:
        assert matches(filters, name) is taken

    def test_are_kept_sorted_and_once(self) -> None:
        assert checked_filters(["run.*", "approval.opened", "run.*"]) == ("approval.opened", "run.*")

    @pytest.mark.parametrize("wrong", [[], ["run.suceeded"], ["run"], ["RUN.*"], ["ledger.*"], ["*.*"], ["run.*"] * 0 + ["run.* "]])
    def test_that_name_nothing_are_refused_with_the_types_there_are(self, wrong: list[str]) -> None:
        with pytest.raises(InvalidInput, match=r"run\.succeeded"):
            checked_filters(wrong)

    def test_are_bounded(self) -> None:
        with pytest.raises(InvalidInput):
            checked_filters([f"a{number}.b" for number in range(FILTERS_MAX + 1)])
