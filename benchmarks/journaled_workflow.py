"""Workflows of N activities that differ in one thing, what each writes: nothing, one row, two, or the journal's two transactions."""

from datetime import timedelta

from pydantic import JsonValue
from temporalio import workflow

from activities.requests import CALL_TOOL, ToolRequest
from domain.effects import EffectClass, RetryClass
from domain.envelope import Envelope, Receipt
from domain.model import Wire

BOUND = timedelta(seconds=30)
BARE_STEP = "bench.bare_step"
INSERT_STEP = "bench.insert_step"
TWO_INSERTS_STEP = "bench.two_inserts_step"
KINDS = (BARE_STEP, INSERT_STEP, TWO_INSERTS_STEP, CALL_TOOL)


class StepsInput(Wire):
    """How many steps of which kind (an activity's name), and for whom."""

    activity: str
    steps: int
    tenant: str
    run: str


def step_envelope(given: StepsInput, number: int) -> Envelope:
    """Return the envelope of one step: a call of the instant tool."""
    request = ToolRequest(
        tool="bench.instant",
        version="1.0.0",
        arguments={"n": number},
        effect_class=EffectClass.READ,
        retry_class=RetryClass.IDEMPOTENT,
    )
    asked: dict[str, JsonValue] = request.model_dump(mode="json")
    return Envelope(
        tenant=given.tenant,
        run=given.run,
        epoch=1,
        step=f"s{number}",
        call="call",
        correlation_id=given.run,
        principal="prn_bench",
        deadline_s=5,
        request=asked,
        project=["n"],
    )


@workflow.defn(name="bench.journaled", sandboxed=False)
class JournaledWorkflow:
    """N steps in sequence; every kind gets the same envelopes and answers receipts."""

    @workflow.run
    async def run(self, given: StepsInput) -> int:
        """Return how many steps answered."""
        answered = 0
        for number in range(given.steps):
            receipt: Receipt = await workflow.execute_activity(
                given.activity, step_envelope(given, number), result_type=Receipt, start_to_close_timeout=BOUND
            )
            answered += int(receipt.v == 1)
        return answered
