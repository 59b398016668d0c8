"""Lets model calls through whose agent may run, and puts a registered agent's instructions in (domain/admission.py).

It stands before the journal: a refused call has no intent, reserves nothing and reaches nobody. Rendered here, the instructions are part
of the request that the journal knows by its digest, and of the worst case that the budget reserves.
"""

from pydantic import JsonValue

from activities.requests import COMPLETE_PROMPT, PromptRequest
from domain.admission import AskedCall, RunAgents, check_registered, check_written
from domain.agent_uses import variable_problems
from domain.agents import AgentStore, StatusRules, text_sha256
from domain.envelope import Envelope
from domain.errors import AgentRefused, InvalidInput
from domain.prompt_text import render_prompt


class AgentAdmission:
    """The check of one worker; `rules` say what its installation runs."""

    def __init__(self, *, agents: AgentStore, written: RunAgents, rules: StatusRules) -> None:
        self._agents = agents
        self._written = written
        self._rules = rules

    async def admit(self, activity_type: str, envelope: Envelope) -> Envelope:
        """Return the envelope as it may be done.

        Raises:
            AgentRefused: its agent may not run, or is not what it says it is.
            Unavailable: nobody can say now.
        """
        if activity_type != COMPLETE_PROMPT:
            return envelope
        request = PromptRequest.model_validate(envelope.request)
        asked = AskedCall(
            tenant=envelope.tenant,
            run=envelope.run,
            step=envelope.step,
            model=request.model,
            others=tuple(one.model for one in request.fallbacks),
            instructions=request.instructions,
            tools=tuple(tool.name for tool in request.tools),
            output_schema=request.output_schema,
            max_output_tokens=request.max_output_tokens,
            max_call_usd_micros=request.max_call_usd_micros,
        )
        if request.agent is None:
            step = envelope.step if request.behind is None else request.behind.partition("#")[0]
            check_written(asked, step, await self._written.agents_of(envelope.tenant, envelope.run))
            return envelope
        found = await self._agents.get(envelope.tenant, request.agent.name, request.agent.version)
        said = check_registered(asked, request.agent, found, self._rules).manifest
        problems = variable_problems(said, request.agent.variables)
        if problems:
            raise AgentRefused(f"the variables of the agent {said.name} {said.version} do not fit: {'; '.join(problems)[:1000]}")
        try:
            text = render_prompt(said.instructions.text, request.agent.variables)
        except InvalidInput as error:
            raise AgentRefused(f"the agent {said.name} {said.version}: {error.detail}") from error
        told: dict[str, JsonValue] = {"instructions": text, "instructions_sha256": text_sha256(said.instructions.text)}
        return envelope.model_copy(update={"request": {**envelope.request, **told}})
