"""The activity that calls a tool: schemas, keys, references, and the approval compared just before the effect."""

import asyncio
from typing import ClassVar

import pytest
from pydantic import JsonValue

from activities.requests import FlushRequest
from activities.tool_calls import Records, ToolActivities, effect_key
from domain.approval import BoundCall, approval_digest
from domain.effects import EffectClass
from domain.envelope import Envelope, Usage
from domain.errors import NotFound, StaleDigest, ToolAnswerInvalid, ToolFailed
from domain.large_arguments import LargeArguments, arguments_sha256
from domain.people_stores import ApprovalRow
from domain.provider import Message, ModelToolCall
from domain.runs import ApprovalProjection, Projection
from domain.tools import Tool, ToolCall, ToolSpec
from tests.activities.bench import RUN, TENANT, envelope
from tests.fakes_stores import FakeStores

CALLS = [BoundCall(step="pay", tool="bank.pay", version="1.0.0", arguments={"amount": 80})]


class FakeBank:
    """A bank of one tool that remembers its calls; it is a tool box and declared tools too."""

    def __init__(self, answer: JsonValue = None) -> None:
        self.answer: JsonValue = {"id": "p1"} if answer is None else answer
        self.calls: list[ToolCall] = []
        self.declarations: list[dict[str, JsonValue]] = []
        self.spec = ToolSpec(
            name="bank.pay",
            version="1.0.0",
            description="pays",
            input_schema={"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]},
            output_schema={"type": "object", "required": ["id"]},
            effect_class=EffectClass.MONEY,
        )

    def specs(self) -> list[ToolSpec]:
        """Return the one."""
        return [self.spec]

    def find(self, name: str, version: str) -> Tool:
        """Return the one.

        Raises:
            ToolFailed: it is another.
        """
        if (name, version) != (self.spec.name, self.spec.version):
            raise ToolFailed(f"this worker has no tool {name}")
        return self

    def tool(self, declaration: dict[str, JsonValue]) -> Tool:
        """Return the one for any declaration."""
        self.declarations.append(declaration)
        return self

    async def call(self, call: ToolCall) -> JsonValue:
        """Remember and answer."""
        await asyncio.sleep(0)
        self.calls.append(call)
        return self.answer


class MeteredBank(FakeBank):
    """A bank that knows afterwards what a call used."""

    async def call_metered(self, call: ToolCall) -> tuple[JsonValue, Usage]:
        """Answer, and tell."""
        return await self.call(call), Usage(input_tokens=30, cost_usd_micros=2)


def activities(bank: FakeBank, stores: FakeStores | None = None, records: Records | None = None) -> ToolActivities:
    """Build the activities over fakes."""
    given = stores or FakeStores()
    return ToolActivities(tools=bank, declared=bank, approvals=given.approvals, payloads=given.payloads, records=records)


class Closing:
    """Closes approvals as it is told, as the flush of a decision does."""

    def __init__(self, stores: FakeStores, state: str) -> None:
        self._stores = stores
        self._state = state
        self.written: list[FlushRequest] = []

    async def write(self, envelope: Envelope, request: FlushRequest) -> int:
        """Close the one approval."""
        await asyncio.sleep(0)
        self.written.append(request)
        rows = self._stores.database.approvals
        rows[envelope.tenant, "apr_1"] = rows[envelope.tenant, "apr_1"].model_copy(update={"state": self._state})
        return 0


CLOSING = FlushRequest(projection=Projection(), fact_seq=3)


class TestCallTool:
    async def test_hands_the_effects_stable_key_outside(self) -> None:
        bank = FakeBank()
        receipt = await activities(bank).call_tool(envelope())
        assert receipt.output == {"id": "p1"}
        [call] = bank.calls
        assert call.idempotency_key == effect_key(envelope()).outside_key()
        assert (call.arguments, call.tenant, call.deadline_s) == ({"amount": 80}, TENANT, 5)

    async def test_settles_what_the_tool_says_it_used_besides_what_it_declares(self) -> None:
        plain = await activities(FakeBank()).call_tool(envelope(cost_usd_micros=5))
        assert plain.usage == Usage(cost_usd_micros=5)
        metered = await activities(MeteredBank()).call_tool(envelope(cost_usd_micros=5))
        assert (metered.output, metered.usage) == ({"id": "p1"}, Usage(input_tokens=30, cost_usd_micros=7))

    async def test_refuses_arguments_that_break_the_schema_and_calls_nothing(self) -> None:
        bank = FakeBank()
        with pytest.raises(ToolFailed, match="break its schema"):
            await activities(bank).call_tool(envelope(arguments={"amount": "80"}))
        assert bank.calls == []

    async def test_tells_when_the_answer_breaks_the_schema(self) -> None:
        with pytest.raises(ToolAnswerInvalid, match="answered, but its answer breaks its schema"):
            await activities(FakeBank(answer={"no": "id"})).call_tool(envelope())

    async def test_refuses_a_tool_that_this_worker_lacks(self) -> None:
        with pytest.raises(ToolFailed, match="has no tool"):
            await activities(FakeBank()).call_tool(envelope(version="2.0.0"))

    async def test_makes_a_declared_tool_from_its_declaration(self) -> None:
        bank = FakeBank()
        await activities(bank).call_tool(envelope(tool="shop.buy", declaration={"name": "shop.buy"}))
        assert bank.declarations == [{"name": "shop.buy"}]

    async def test_reads_large_arguments_of_a_model_by_reference(self) -> None:
        bank, stores = FakeBank(), FakeStores()
        wanted = [ModelToolCall(vendor_id="v", name="bank.pay", arguments={"amount": n}) for n in (1, 2)]
        reply = Message(role="assistant", tool_calls=wanted).model_dump(mode="json")
        ref = stores.database.store_payload(TENANT, {"reply": reply})
        await activities(bank, stores).call_tool(envelope(arguments_from={"ref": ref, "index": 1}))
        assert bank.calls[0].arguments == {"amount": 2}


def approved(state: str = "approved", *, unbound: list[str] | None = None, **tampered: object) -> FakeStores:
    """Build an inbox with one approval of CALLS; `tampered` changes its row afterwards."""
    stores = FakeStores()
    digest = approval_digest(tenant=TENANT, run=RUN, approval="apr_1", step="gate", visit=1, nonce="n", calls=CALLS)
    projection = ApprovalProjection(
        approval="apr_1",
        step="gate",
        visit=1,
        title="Pay?",
        digest=digest,
        nonce="n",
        calls=[call.model_dump(mode="json") for call in CALLS],
        unbound=unbound or [],
        reviewer_role="payer",
        exclude_requester=True,
        requester="prn_a",
        opened_at="2026-03-01T12:00:00Z",
        deadline=None,
    ).model_copy(update=tampered)
    stores.database.approvals[TENANT, "apr_1"] = ApprovalRow(run=RUN, definition="test", projection=projection, state=state)
    return stores


def bound(**request: JsonValue) -> Envelope:
    """Build the envelope of the approved payment."""
    given = envelope()
    return given.model_copy(update={"request": {**given.request, "approval": "apr_1", **request}})


def large(wanted: dict[str, JsonValue], *, approved_of: dict[str, JsonValue]) -> tuple[FakeStores, Envelope]:
    """Build an approval of large arguments, and the envelope of a call whose reply asks for `wanted`."""
    place = LargeArguments(ref="r", index=0, sha256=arguments_sha256(approved_of), bytes=9000)
    calls = [CALLS[0].model_copy(update={"arguments": {"amount": 80, "note": "cut"}, "large": place})]
    digest = approval_digest(tenant=TENANT, run=RUN, approval="apr_1", step="gate", visit=1, nonce="n", calls=calls)
    stores = approved(calls=[call.model_dump(mode="json") for call in calls], digest=digest)
    reply = Message(role="assistant", tool_calls=[ModelToolCall(vendor_id="v", name="bank.pay", arguments=wanted)])
    ref = stores.database.store_payload(TENANT, {"reply": reply.model_dump(mode="json")})
    return stores, bound(arguments={}, arguments_from={"ref": ref, "index": 0})


class TestLargeBoundCall:
    WHOLE: ClassVar[dict[str, JsonValue]] = {"amount": 80, "note": "x" * 5000}

    async def test_runs_with_exactly_the_approved_arguments(self) -> None:
        bank = FakeBank()
        stores, given = large(self.WHOLE, approved_of=self.WHOLE)
        await activities(bank, stores).call_tool(given)
        assert [call.arguments for call in bank.calls] == [self.WHOLE]

    async def test_is_refused_with_others(self) -> None:
        bank = FakeBank()
        stores, given = large({**self.WHOLE, "amount": 81}, approved_of=self.WHOLE)
        with pytest.raises(StaleDigest, match="nothing was done"):
            await activities(bank, stores).call_tool(given)
        assert bank.calls == []

    async def test_is_refused_with_the_cut_arguments_that_were_shown(self) -> None:
        bank = FakeBank()
        stores, _ = large(self.WHOLE, approved_of=self.WHOLE)
        with pytest.raises(StaleDigest, match="nothing was done"):
            await activities(bank, stores).call_tool(bound(arguments={"amount": 80, "note": "cut"}))
        assert bank.calls == []

    async def test_is_refused_by_reference_where_the_arguments_themselves_were_approved(self) -> None:
        bank = FakeBank()
        stores = approved()
        reply = Message(role="assistant", tool_calls=[ModelToolCall(vendor_id="v", name="bank.pay", arguments={"amount": 80})])
        ref = stores.database.store_payload(TENANT, {"reply": reply.model_dump(mode="json")})
        given = bound(arguments={}, arguments_from={"ref": ref, "index": 0})
        with pytest.raises(StaleDigest, match="nothing was done"):
            await activities(bank, stores).call_tool(given)
        assert bank.calls == []


class TestBoundCall:
    async def test_takes_along_what_closes_its_approval(self) -> None:
        bank, stores = FakeBank(), approved("open")
        closing = Closing(stores, "approved")
        await activities(bank, stores, closing).call_tool(bound(closing=CLOSING.model_dump(mode="json")))
        assert (closing.written, len(bank.calls)) == ([CLOSING], 1)

    async def test_writes_nothing_when_its_approval_is_closed(self) -> None:
        bank, stores = FakeBank(), approved()
        closing = Closing(stores, "approved")
        await activities(bank, stores, closing).call_tool(bound(closing=CLOSING.model_dump(mode="json")))
        assert (closing.written, len(bank.calls)) == ([], 1)

    @pytest.mark.parametrize("state", ["open", "rejected"])
    async def test_is_refused_when_what_it_takes_along_does_not_approve_it(self, state: str) -> None:
        bank, stores = FakeBank(), approved("open")
        with pytest.raises(StaleDigest):
            await activities(bank, stores, Closing(stores, state)).call_tool(bound(closing=CLOSING.model_dump(mode="json")))
        assert bank.calls == []

    async def test_runs_as_it_was_approved(self) -> None:
        bank = FakeBank()
        await activities(bank, approved()).call_tool(bound())
        assert len(bank.calls) == 1

    async def test_may_have_arguments_that_were_left_unbound(self) -> None:
        bank = FakeBank()
        await activities(bank, approved(unbound=["pay.note"])).call_tool(bound(arguments={"amount": 80, "note": "late"}))
        assert len(bank.calls) == 1

    @pytest.mark.parametrize(
        "stores",
        [
            approved("open"),
            approved("rejected"),
            approved("withdrawn"),
            approved("timed_out"),
            approved(digest="0" * 64),
            approved(nonce="other"),
            approved(step="other"),
            approved(visit=2),
            approved(calls=[{**CALLS[0].model_dump(mode="json"), "arguments": {"amount": 8000}}]),
            approved(calls=[]),
        ],
    )
    async def test_is_refused_when_the_inbox_row_says_otherwise(self, stores: FakeStores) -> None:
        bank = FakeBank()
        with pytest.raises(StaleDigest, match="nothing was done"):
            await activities(bank, stores).call_tool(bound())
        assert bank.calls == []

    @pytest.mark.parametrize("request_", [{"arguments": {"amount": 81}}, {"arguments": {"amount": 80, "payee": "me"}}])
    async def test_is_refused_with_other_arguments(self, request_: dict[str, JsonValue]) -> None:
        bank = FakeBank()
        with pytest.raises(StaleDigest):
            await activities(bank, approved()).call_tool(bound(**request_))
        assert bank.calls == []

    async def test_is_refused_when_the_approval_is_gone(self) -> None:
        with pytest.raises(NotFound):
            await activities(FakeBank(), FakeStores()).call_tool(bound())

    async def test_after_a_timeout_that_approves_may_only_look(self) -> None:
        bank = FakeBank()
        await activities(bank, approved("timed_out")).call_tool(bound(effect_class="read"))
        assert len(bank.calls) == 1
