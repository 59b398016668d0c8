"""The yardstick of agents: a loop of model and tool calls written by hand, over the platform's own activities.

It does what a person would write who has these activities and nothing else: no definition, no facts, no stepper. So the difference to a
run is what the platform's workflow costs, and nothing of the journal, the ledger or the model.
"""

from datetime import timedelta
from typing import cast

from pydantic import JsonValue
from temporalio import workflow

from activities.requests import CALL_TOOL, COMPLETE_PROMPT, FLUSH_FACTS, FlushRequest, ToolRequest
from domain.effects import EffectClass, RetryClass
from domain.envelope import Envelope, Receipt
from domain.model import Wire
from domain.runs import Projection, RunStatus

BOUND = timedelta(seconds=30)


class AgentInput(Wire):
    """Whose run it is, and the first model call, as a run makes it."""

    tenant: str
    run: str
    prompt: dict[str, JsonValue]


@workflow.defn(name="bench.agent", sandboxed=False)
class HandWrittenAgent:
    """Model, tool, model … until the model answers; then the closing status."""

    @workflow.run
    async def run(self, given: AgentInput) -> JsonValue:
        """Return the answer."""
        head: JsonValue = {"count": 0, "digest": ""}
        append: list[JsonValue] = [{"kind": "user", "value": "go"}]
        known, turn = 0, 0
        while True:
            turn += 1
            request: dict[str, JsonValue] = {**given.prompt, "head": head, "append": append, "known_tokens": known}
            project = ["stop", "head", "calls", "problems", "scripted", "answer"]
            reply = await self._do(given, COMPLETE_PROMPT, f"{turn}.model", request, project)
            head, known = reply.fields["head"], reply.usage.input_tokens + reply.usage.output_tokens
            if reply.fields["stop"] == "answered":
                break
            append = [{"kind": "reply", "ref": reply.ref}]
            for index, asked in enumerate(cast("list[dict[str, JsonValue]]", reply.fields["calls"])):
                call = ToolRequest(
                    tool=str(asked["name"]),
                    version="1.0.0",
                    arguments=cast("dict[str, JsonValue]", asked["arguments"]),
                    effect_class=EffectClass.READ,
                    retry_class=RetryClass.IDEMPOTENT,
                )
                result = await self._do(given, CALL_TOOL, f"{turn}.{index}", call.model_dump(mode="json"), [])
                append.append({"kind": "tool", "vendor_id": asked["vendor_id"], "ref": result.ref, "error": None, "bytes": result.size})
        close = FlushRequest(projection=Projection(status=RunStatus.SUCCEEDED, result=reply.fields["answer"]), fact_seq=0)
        await self._do(given, FLUSH_FACTS, "", close.model_dump(mode="json"), [])
        return reply.fields["answer"]

    async def _do(self, given: AgentInput, activity: str, call: str, request: dict[str, JsonValue], project: list[str]) -> Receipt:
        envelope = Envelope(
            tenant=given.tenant,
            run=given.run,
            epoch=1,
            step="ask",
            call=call,
            correlation_id=given.run,
            principal="prn_bench",
            deadline_s=25,
            request=request,
            project=project,
        )
        return await workflow.execute_activity(activity, envelope, result_type=Receipt, start_to_close_timeout=BOUND)
