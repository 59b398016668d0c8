"""`standfast.delivery.v1`: one round of one delivery, the pauses of its schedule as durable timers. Deterministic."""

from datetime import timedelta

from temporalio import workflow

from activities.deliveries import SEND_DELIVERY
from activities.options import DELIVERY_OPTIONS
from domain.deliveries import DELIVERY_WORKFLOW, DeliveryInput, DeliveryState, SendAnswer, SendRequest


@workflow.defn(name=DELIVERY_WORKFLOW, sandboxed=False)
class DeliveryWorkflow:
    """Tries until the delivery is settled; its row is the truth, this only remembers when to try again."""

    @workflow.run
    async def run(self, start: DeliveryInput) -> str:
        """Return the state in which the round ended."""
        pause_s = start.pause_s
        if start.attempt == 1 and not start.waits and not pause_s:
            pause_s = start.schedule.pause_s(1, workflow.random().random())
        while True:
            if pause_s > 0:
                await workflow.sleep(timedelta(seconds=pause_s), summary=f"before attempt {start.attempt}")
            answer = await self._attempt(start)
            if answer.state != DeliveryState.PENDING:
                return answer.state
            pause_s = answer.pause_s
            start = start.model_copy(update={"attempt": answer.attempt, "waits": start.waits + 1 if answer.busy else 0, "pause_s": pause_s})
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(start)

    async def _attempt(self, start: DeliveryInput) -> SendAnswer:
        request = SendRequest(
            tenant=start.tenant,
            delivery=start.delivery,
            channel=start.channel,
            endpoint=start.endpoint,
            round=start.round,
            attempt=start.attempt,
            chance=workflow.random().random(),
            waits=start.waits,
            schedule=start.schedule,
        )
        return await workflow.execute_activity(
            SEND_DELIVERY, request, result_type=SendAnswer, summary=f"attempt {start.attempt}", **DELIVERY_OPTIONS
        )
