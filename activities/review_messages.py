"""Makes the message of a delivery when it is about to be sent: what holds then, and a signed link for exactly its reviewer.

A delivery waits and is repeated for days. What it shows and links to is therefore read at each attempt, never kept: an approval that was
amended is shown amended, one that was decided is not asked for any more, and who may no longer decide gets nothing.
"""

from collections.abc import Callable
from typing import NamedTuple

from domain.channels import CHANNEL_TEST, DECIDING_ROLES, ChannelStore, ReviewMessage, endpoint_parts
from domain.deliveries import AttemptResult, Outgoing
from domain.errors import NotFound
from domain.events import Event
from domain.people_stores import ApprovalRow, ApprovalStore, TaskStore
from domain.review_links import LinkKeys, LinkRequest, signed_token
from domain.review_summary import moment, summary_of
from domain.stores import KeyStore, RunStore
from domain.substitutes import SubstituteStore, authority
from domain.visible_text import visible

ASKING = {
    "approval.opened": "Decision asked",
    "approval.reminded": "Reminder, decision asked",
    "approval.escalated": "Escalated, decision asked",
    "approval.amended": "Changed, decision asked",
    "approval.extended": "More time, decision asked",
    "approval.delegated": "Handed to you, decision asked",
    "approval.info_given": "A question was answered, decision asked",
    "approval.info_requested": "A question was put about",
    "approval.voted": "A reviewer has answered about",
}
"""Events of an approval that is open; once it is closed, nothing is sent for them."""

CLOSED = {"approved": "Approved", "rejected": "Rejected", "timed_out": "Not decided in time", "withdrawn": "Withdrawn"}


class MessagePorts(NamedTuple):
    """The stores that messages are made from."""

    channels: ChannelStore
    approvals: ApprovalStore
    tasks: TaskStore
    runs: RunStore
    keys: KeyStore
    substitutes: SubstituteStore


class ReviewMessages:
    """Implements `MessageSource`.

    Args:
        ports: The stores.
        link_keys: Sign the links.
        page_url: Gives the address of a token's page, as reviewers reach the gateway.
    """

    def __init__(self, ports: MessagePorts, *, link_keys: LinkKeys, page_url: Callable[[str], str]) -> None:
        self._ports = ports
        self._link_keys = link_keys
        self._page_url = page_url

    async def message(self, endpoint: str, delivery: Outgoing) -> ReviewMessage | AttemptResult:
        """Return the message, or the result of an attempt that needs no sending."""
        name, reviewer = endpoint_parts(endpoint)
        try:
            channel = await self._ports.channels.get(delivery.tenant, name)
        except NotFound:
            return _nothing("the channel was removed")
        if not channel.enabled and delivery.event.type != CHANNEL_TEST:
            return _nothing("the channel is switched off")
        address = channel.target if reviewer is None else await self._contact(delivery.tenant, reviewer, channel.kind)
        if address is None:
            return _nothing("nobody says any more where this goes")
        made = await self._made(delivery, reviewer)
        return made if isinstance(made, AttemptResult) else made.model_copy(update={"address": address})

    async def _made(self, delivery: Outgoing, reviewer: str | None) -> ReviewMessage | AttemptResult:
        event = delivery.event
        if event.type == CHANNEL_TEST:
            text = "This is a test of the channel: when you can read it, it works."
            return ReviewMessage(message=event.id, event=event.type, address="", heading="Test message", lines=(text,))
        subject, _, _ = event.type.partition(".")
        identity = _named(event, subject)
        try:
            if subject == "approval":
                row = await self._ports.approvals.get(delivery.tenant, identity)
                return await self._of_approval(delivery, row, reviewer)
            return await self._of_task(delivery, identity)
        except NotFound:  # told before its row was written: a moment later it is there
            return AttemptResult(outcome="failed", detail=f"{identity or 'it'} is not in the inbox yet")

    async def _of_approval(self, delivery: Outgoing, row: ApprovalRow, reviewer: str | None) -> ReviewMessage | AttemptResult:
        event, is_open = delivery.event, row.state == "open"
        if event.type in ASKING and not is_open:
            return _nothing(f"the approval is closed: {row.state}")
        if reviewer is not None and is_open and not await self._may_decide(delivery.tenant, reviewer, row):
            return _nothing("the reviewer may not decide it any more")
        asked = row.projection
        run = await self._ports.runs.get(delivery.tenant, row.run)
        requester = await self._name(delivery.tenant, asked.requester)
        return ReviewMessage(
            message=event.id,
            event=event.type,
            address="",
            heading=f"{_heading(event, row)}: {visible(asked.title)}",
            lines=await self._lines(delivery.tenant, row),
            link=await self._link(delivery, row, reviewer) if is_open and reviewer is not None else None,
            summary=summary_of(asked, run=row.run, definition=row.definition, cost_usd_micros=run.cost_usd_micros, requester=requester),
            expires_at=asked.deadline,
        )

    async def _lines(self, tenant: str, row: ApprovalRow) -> tuple[str, ...]:
        if row.state != "open":
            who = await self._name(tenant, row.decided_by) if row.decided_by else None
            return (f"{CLOSED.get(row.state, 'Closed')}{f' by {visible(who)}' if who else ''}, {moment(row.decided_at) or 'just now'}.",)
        until = moment(row.projection.deadline)
        return (f"Decide until {until}." if until else "There is no deadline.",)

    async def _link(self, delivery: Outgoing, row: ApprovalRow, reviewer: str) -> str:
        """Return the address on which this reviewer decides. The link has the delivery's id: each attempt sends the same one."""
        asked = row.projection
        wanted = LinkRequest(
            tenant=delivery.tenant,
            approval=asked.approval,
            digest=asked.digest,
            reviewer=reviewer,
            link="lnk_" + delivery.delivery.partition("_")[2],
            opened_at=asked.opened_at,
            deadline=asked.deadline,
        )
        generations = await self._ports.channels.generations(delivery.tenant)
        return self._page_url(signed_token(self._link_keys, wanted, generation=generations.current))

    async def _may_decide(self, tenant: str, reviewer: str, row: ApprovalRow) -> bool:
        try:
            principal = await self._ports.keys.principal(tenant, reviewer)
        except NotFound:
            return False
        asked = row.projection
        represented = await self._ports.substitutes.represented(tenant, reviewer)
        found = authority(principal, represented, asked.roles, requester=asked.requester, exclude_requester=asked.exclude_requester)
        return bool(found.roles) or (reviewer in asked.delegates and principal.role in DECIDING_ROLES)

    async def _of_task(self, delivery: Outgoing, task: str) -> ReviewMessage:
        row = await self._ports.tasks.get(delivery.tenant, task)
        shown = row.projection
        event = delivery.event
        what = "Task for a person" if row.state == "open" else "Task done"
        lines = (visible(shown.detail), f"Task {shown.task} of run {row.run}, step {visible(shown.step)}.")
        heading = f"{what}: {visible(shown.title)}"
        return ReviewMessage(message=event.id, event=event.type, address="", heading=heading, lines=tuple(line for line in lines if line))

    async def _contact(self, tenant: str, reviewer: str, kind: str) -> str | None:
        found = await self._ports.channels.contacts(tenant, principal=reviewer)
        return next((contact.address for contact in found if contact.kind == kind), None)

    async def _name(self, tenant: str, principal: str) -> str:
        try:
            return (await self._ports.keys.principal(tenant, principal)).name or principal
        except NotFound:
            return principal


def _heading(event: Event, row: ApprovalRow) -> str:
    return ASKING.get(event.type) or CLOSED.get(row.state) or "Approval"


def _named(event: Event, subject: str) -> str:
    """Return the id of the approval or task that an event is about."""
    details = event.data.get("details")
    return str(details.get(subject, "")) if isinstance(details, dict) else ""


def _nothing(why: str) -> AttemptResult:
    """Return the result of an attempt that was right not to send."""
    return AttemptResult(outcome="sent", detail=f"nothing was sent: {why}")
