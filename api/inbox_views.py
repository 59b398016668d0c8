"""JSON shapes and query parameters of the inbox: filters, one approval with what is behind it, assignment."""

import json
from typing import Annotated, Literal

from fastapi import Query
from pydantic import AwareDatetime, Field, JsonValue, StringConstraints

from api.deps import instant
from api.queries import Cursor, Limit
from api.views import ApprovalView, UsageView, approval_view
from domain.approval import BoundCall
from domain.inbox import InboxFilter, InboxOrder, MayDecide
from domain.large_arguments import arguments_sha256
from domain.model import Value
from domain.people_stores import ApprovalRow
from domain.principals import Principal
from domain.provider import Message
from domain.visible_text import hidden_places

TEXT_SHOWN = 2000
"""Longest text of one message; the whole conversation is the run's, not the inbox's."""

MESSAGES_SHOWN = 8
DECISIONS_SHOWN = 5
ME = "me"
"""Stands for the caller where a filter names a principal."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
RunName = Annotated[str, StringConstraints(pattern=r"^run_[0-9a-hjkmnp-tv-z]{26}$")]


class ApprovalListQuery(Value):
    """Filters of the inbox; each that is given has to fit. `me` stands for the caller as assignee, requester or `decided_by`.

    `mine` narrows it to what the caller may decide now, in their own place or as a substitute.
    """

    state: Literal["open", "approved", "rejected", "timed_out", "withdrawn"] | None = None
    mine: bool = False
    role: Word | None = None
    definition: Word | None = None
    run: RunName | None = None
    tool: Word | None = None
    assignee: Word | None = None
    requester: Word | None = None
    decided_by: Word | None = None
    deadline_before: AwareDatetime | None = None
    order: InboxOrder = "deadline"
    limit: Limit = 50
    cursor: Cursor | None = None

    def to_filter(self, caller: Principal, roles: tuple[str, ...]) -> InboxFilter:
        """Return the filter; `roles` are those with which the caller may decide now."""
        people = {"assignee": self.assignee, "requester": self.requester, "decided_by": self.decided_by}
        named = {name: caller.id if said == ME else said for name, said in people.items()}
        same = self.model_dump(include={"state", "role", "definition", "run", "tool", "order", "limit", "cursor"})
        before = None if self.deadline_before is None else instant(self.deadline_before)
        may_decide = MayDecide(principal=caller.id, roles=roles) if self.mine else None
        return InboxFilter.model_validate({**same, **named, "deadline_before": before, "may_decide": may_decide})


ApprovalList = Annotated[ApprovalListQuery, Query()]


class MessageView(Value):
    """A message; `cut` says that its text is longer than what is shown. `tools` names the calls that a model asked for."""

    role: str
    text: str
    cut: bool = False
    tools: tuple[str, ...] = ()


class ConversationView(Value):
    """The last messages of the agent step behind an approval."""

    step: str
    messages: tuple[MessageView, ...]


class PastDecisionView(Value):
    """How an approval of the same definition and tool ended."""

    approval: str
    run: str
    title: str
    state: str
    decided_by: str | None
    decided_at: str | None
    comment: str | None


class ApprovalDetailView(ApprovalView):
    """One approval with what a reviewer wants to know: the run's cost so far, the conversation behind it, and the last decisions alike.

    `whole` are the arguments of a call that `calls` shows cut. `usage` are sums over the run. `messages` are the last of `conversation`;
    none where no model's answer is behind the question.
    """

    usage: UsageView
    whole: dict[str, JsonValue] | None = None
    messages: tuple[MessageView, ...] = ()
    alike: tuple[PastDecisionView, ...] = ()


class AssignBody(Value):
    """Whom to assign an approval to: the caller when left out, nobody with null. It gives no authority.

    `take_over` takes it from somebody who has it.
    """

    assignee: Annotated[str, Field(min_length=1, max_length=100)] | None = ME
    take_over: bool = False


def answer_message(answer: JsonValue) -> Message:
    """Return a model's last answer as a message: the `reply` of its stored outcome; anything else as JSON."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return Message.stored_in(answer) or Message(role="assistant", text=text)


def message_view(message: Message) -> MessageView:
    """Show a message, its text cut."""
    tools = tuple(call.name for call in message.tool_calls)
    return MessageView(role=message.role, text=message.text[:TEXT_SHOWN], cut=len(message.text) > TEXT_SHOWN, tools=tools)


def past_view(row: ApprovalRow) -> PastDecisionView:
    """Show how an approval ended."""
    same = row.model_dump(include={"run", "state", "decided_by", "decided_at", "comment"})
    return PastDecisionView(approval=row.projection.approval, title=row.projection.title, **same)


def whole_arguments(row: ApprovalRow, reply: Message | None) -> dict[str, JsonValue] | None:
    """Return the arguments that an approval binds by their digest, out of the model's reply; None without such, or if they are others."""
    if reply is None:
        return None
    bound = next((call.large for call in map(BoundCall.model_validate, row.projection.calls) if call.large is not None), None)
    if bound is None or bound.index >= len(reply.tool_calls):
        return None
    arguments = reply.tool_calls[bound.index].arguments
    return arguments if arguments is not None and arguments_sha256(arguments) == bound.sha256 else None


def detail_view(
    row: ApprovalRow, *, usage: UsageView, messages: list[Message], alike: list[ApprovalRow], reply: Message | None = None
) -> ApprovalDetailView:
    """Show an approval with what is behind it; `reply` is the model's message that asked for the call."""
    shown, whole = approval_view(row), whole_arguments(row, reply)
    unseen = () if whole is None else hidden_places(whole, row.projection.step)
    shown = shown.model_copy(update={"hidden": tuple(dict.fromkeys((*shown.hidden, *unseen)))})
    return ApprovalDetailView(
        **dict(shown),
        usage=usage,
        whole=whole,
        messages=tuple(message_view(each) for each in messages),
        alike=tuple(past_view(each) for each in alike),
    )
