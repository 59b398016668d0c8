"""Five hundred calls that are not what was approved, amended approvals among them: none of them runs (PROOF B26)."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.approval import BoundCall, Decision, OpenApproval, amended, approval_digest
from domain.errors import StandfastError
from domain.people_stores import ApprovalRow
from domain.runs import ApprovalProjection
from tests.activities.bench import RUN, TENANT, envelope
from tests.activities.test_tool_calls import FakeBank, activities
from tests.fakes_stores import FakeStores

FIRST = BoundCall(step="pay", tool="bank.pay", version="1.0.0", arguments={"amount": 80, "to": "Ada"})
BIDI = ["Ada\u202e", "\u200bAda", "Ada ", "ada"]

mismatches = st.one_of(
    st.fixed_dictionaries({"arguments": st.fixed_dictionaries({"amount": st.integers().filter(lambda n: n != 60), "to": st.just("Ada")})}),
    st.fixed_dictionaries({"arguments": st.fixed_dictionaries({"amount": st.just(60), "to": st.sampled_from(BIDI)})}),
    st.just({"arguments": FIRST.arguments}),
    st.fixed_dictionaries({"arguments": st.dictionaries(st.sampled_from(["amount", "to", "more"]), st.integers(0, 60))}),
    st.fixed_dictionaries({"approval": st.sampled_from(["apr_other", "apr_of_another_run", "apr_open"])}),
    st.fixed_dictionaries({"row": st.sampled_from([{"digest": "0" * 64}, {"nonce": "m"}, {"step": "x"}, {"visit": 2}, {"calls": []}])}),
    st.fixed_dictionaries({"state": st.sampled_from(["open", "rejected", "withdrawn", "timed_out"])}),
)
"""What is wrong with a call, or with the row it is compared with."""


def approval() -> OpenApproval:
    """Build an approval whose amount was amended from 80 to 60."""
    digest = approval_digest(tenant=TENANT, run=RUN, approval="apr_1", step="gate", visit=1, nonce="n", calls=[FIRST])
    asked: dict[str, Any] = {"approval": "apr_1", "step": "gate", "visit": 1, "title": "Pay?", "digest": digest, "nonce": "n"}  # Any: mixed
    people = {"reviewer_role": "payer", "exclude_requester": True, "requester": "prn_a", "opened_at": "2026-03-01T12:00:00Z"}
    opened = OpenApproval.model_validate({**asked, **people, "calls": [FIRST], "deadline": None})
    said = {"decision_id": "dec_1", "approval": "apr_1", "verdict": "amend", "digest": digest, "principal": "prn_b"}
    decision = Decision.model_validate({**said, "content": {"arguments": {"pay": {"amount": 60}}}})
    return amended(opened, decision, tenant=TENANT, run=RUN)


def inbox(row: dict[str, object], state: str) -> FakeStores:
    """Build the inbox: the amended approval, one of another run, one that is open."""
    stores = FakeStores()
    projection = ApprovalProjection.model_validate(approval().model_dump(mode="json"))
    rows = {
        "apr_1": (RUN, projection.model_copy(update=row), state),
        "apr_of_another_run": ("run_other", projection, "approved"),
        "apr_open": (RUN, projection, "open"),
    }
    for name, (run, shown, known) in rows.items():
        asked = shown.model_copy(update={"approval": name})
        stores.database.approvals[TENANT, name] = ApprovalRow(run=run, definition="test", projection=asked, state=known)
    return stores


def run(wrong: dict[str, Any]) -> int:  # Any: as drawn
    """Make the call and return how often the bank was called."""
    bank = FakeBank()
    stores = inbox(wrong.get("row", {}), wrong.get("state", "approved"))
    request: dict[str, JsonValue] = {
        "arguments": wrong.get("arguments", {"amount": 60, "to": "Ada"}),
        "approval": wrong.get("approval", "apr_1"),
    }
    made = envelope()
    try:
        asyncio.run(activities(bank, stores).call_tool(made.model_copy(update={"request": {**made.request, **request}})))
    except StandfastError:
        return len(bank.calls)
    return len(bank.calls)


class TestMismatch:
    def test_is_none_when_it_is_what_was_amended_and_approved(self) -> None:
        assert run({}) == 1

    @settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(wrong=mismatches)
    def test_never_runs(self, wrong: dict[str, Any]) -> None:  # Any: as drawn
        assert run(wrong) == 0
