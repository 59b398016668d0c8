"""A reviewer's question, put to the agent whose answer they judge: its conversation, the question, one more answer. Pure.

The conversation itself stays as it was: the question and its answer stand with the approval, and a redrive finds the agent where it ended.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from domain.agent_loop import instructions_of, prompt_tools
from domain.agent_models import model_options
from domain.approval import OpenApproval
from domain.errors import StandfastError
from domain.program import AgentStep, ApproveStep, Step
from domain.recorder import Recorder
from domain.state import AskApproval, CompletePrompt

ANSWER_TOKENS_MAX: Final = 1000
"""Longest answer; an approval carries it."""

_ASKED: Final = """A person has to decide about this before anything happens: {title}
{earlier}They ask you: {question}
Answer in plain text, from what you know of this task. Call no tool. Say so if you do not know."""


def agent_name(command: AskApproval) -> str:
    """Return what stands for the agent behind an approval where a principal stands else."""
    return f"agent:{(command.conversation or '').partition('#')[0]}"


def question_for_agent(recorder: Recorder, command: AskApproval, steps: Mapping[str, Step]) -> CompletePrompt | None:
    """Return the model call that puts an approval's open question to the agent behind it.

    `steps` are those of the program, by path.

    None where the definition has the requester answer, no agent has come to an answer, or its model cannot be told any more.
    """
    gate, agent = steps.get(command.step), steps.get((command.conversation or "").partition("#")[0])
    if not isinstance(gate, ApproveStep) or not gate.agent_answers or not isinstance(agent, AgentStep) or command.conversation is None:
        return None
    known, asked = recorder.state.agents.get(agent.path), command.approval.events[-1]
    if known is None or known.reply_ref is None:
        return None
    try:
        model, instructions = recorder.render(agent.model), instructions_of(recorder, agent)
    except StandfastError:
        return None
    question: JsonValue = {"kind": "user", "value": _text(command.approval, agent_name(command))}
    call = f"{asked.decision_id}.model"
    return CompletePrompt(
        id=recorder.command_id(command.step, call),
        step=command.step,
        visit=command.visit,
        call=call,
        request={
            "model": str(model),
            **instructions,
            "tools": prompt_tools(recorder.program, agent),
            "max_output_tokens": min(agent.max_output_tokens, ANSWER_TOKENS_MAX),
            **model_options(agent),
            "known_tokens": known.known_tokens,
            "behind": command.conversation,
            "head": {"count": known.head_count, "digest": known.head_digest},
            "append": [{"kind": "reply", "ref": known.reply_ref}, question],
        },
        project=["stop", "answer"],
        retry=agent.retry,
        summary=f"{command.step}: {agent.path} answers a reviewer",
    )


def _text(approval: OpenApproval, agent: str) -> str:
    """The question, after those that the agent answered before: its conversation does not have them."""
    earlier, asked = "", approval.events[-1].comment
    for event in approval.events[:-1]:
        if event.verdict == "request_info":
            earlier += f"Before, they asked you: {event.comment}\n"
        elif event.verdict == "give_info":
            earlier += f"{'You' if event.principal == agent else 'A colleague'} answered: {event.comment}\n"
    return _ASKED.format(title=approval.title, earlier=earlier, question=asked)
