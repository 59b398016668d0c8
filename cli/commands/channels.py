"""`channels` and `contacts`: who is told of approvals and tasks, and where reviewers are reached."""

from typing import Annotated

import typer

from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.screen import note, say, show_json, show_table
from cli.views import moment
from standfast_client import Channel, Contact, Delivery

CHANNEL_COLUMNS = ("CHANNEL", "NAME", "KIND", "REACHES", "EVENTS", "STATE")
CONTACT_COLUMNS = ("PRINCIPAL", "KIND", "ADDRESS", "SET BY", "SET")
DELIVERY_COLUMNS = ("DELIVERY", "EVENT", "STATE", "ATTEMPTS", "CREATED", "REASON")

ChannelArgument = Annotated[str, typer.Argument(metavar="CHANNEL", help="Its id: chn_ and 26 characters.")]
PrincipalArgument = Annotated[str, typer.Argument(metavar="PRINCIPAL", help="The reviewer: prn_ and 26 characters, or me.")]
KindArgument = Annotated[str, typer.Argument(metavar="KIND", help="Such as email or slack.")]
ReviewerOption = Annotated[str | None, typer.Option("--reviewer", metavar="PRINCIPAL", help="This reviewer; else the channel's target.")]


def channels(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """List channels."""
    if ctx.invoked_subcommand is not None:
        return
    found = open_client(ctx).channels.list()
    if json_output:
        show_json(found)
        return
    show_table(CHANNEL_COLUMNS, [_row(each) for each in found.items], nothing="no channel: nobody is told of approvals")
    note(f"kinds: {', '.join(found.kinds) or 'none'}")


def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that no other channel has.")],
    *,
    kind: Annotated[str, typer.Option(help="Such as email or slack.")],
    event: Annotated[list[str], typer.Option(help="Such as approval.opened or approval.*; may be repeated.")],
    reviewers: Annotated[str | None, typer.Option(help="Reach reviewers with this role, each with a signed link of their own.")] = None,
    principal: Annotated[str | None, typer.Option(help="Reach this one reviewer instead.")] = None,
    target: Annotated[str | None, typer.Option(help="Also write to this place, such as a room; no signed link goes there.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Add a channel."""
    made = open_client(ctx).channels.create(name, kind, events=event, role=reviewers, principal=principal, target=target)
    show_json(made) if json_output else say(made.channel)


def remove(ctx: typer.Context, channel: ChannelArgument, *, json_output: JsonOption = False) -> None:
    """Remove a channel; what was not sent by then is not sent any more."""
    open_client(ctx).channels.remove(channel)
    show_json({"removed": channel}) if json_output else say(f"{channel}: removed")


def send_test(ctx: typer.Context, channel: ChannelArgument, *, reviewer: ReviewerOption = None, json_output: JsonOption = False) -> None:
    """Send a test message."""
    sent = open_client(ctx).channels.test(channel, reviewer=reviewer)
    show_json(sent) if json_output else say(sent.delivery)


def deliveries(ctx: typer.Context, channel: ChannelArgument, *, reviewer: ReviewerOption = None, json_output: JsonOption = False) -> None:
    """Show what went to a reviewer, or to the channel's target."""
    found = open_client(ctx).channels.deliveries(channel, reviewer=reviewer)
    if json_output:
        show_json(found)
    else:
        show_table(DELIVERY_COLUMNS, [_delivery_row(each) for each in found], nothing="nothing was sent there")


def rotate_links(
    ctx: typer.Context,
    *,
    revoke: Annotated[bool, typer.Option("--revoke", help="End every link that was sent before, at once.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Begin the next key for signed links."""
    found = open_client(ctx).channels.rotate_links(revoke=revoke)
    show_json(found) if json_output else say(f"links are signed with key {found.generation}; those before key {found.oldest} are dead")


def contacts(
    ctx: typer.Context,
    *,
    principal: Annotated[str | None, typer.Option(help="Only this reviewer's.")] = None,
    json_output: JsonOption = False,
) -> None:
    """List where reviewers are reached; your own, unless you are an administrator."""
    if ctx.invoked_subcommand is not None:
        return
    found = open_client(ctx).channels.contacts(principal=principal)
    if json_output:
        show_json(found)
    else:
        show_table(CONTACT_COLUMNS, [_contact_row(one) for one in found], nothing="nobody can be reached")


def set_contact(
    ctx: typer.Context,
    principal: PrincipalArgument,
    kind: KindArgument,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A mail address, or the URL of an incoming webhook.")],
    *,
    json_output: JsonOption = False,
) -> None:
    """Say where a reviewer is reached: they get signed links there, with which they decide."""
    made = open_client(ctx).channels.set_contact(principal, kind, address)
    show_json(made) if json_output else say(f"{made.principal}: {made.kind} {made.address}")


def forget(ctx: typer.Context, principal: PrincipalArgument, kind: KindArgument, *, json_output: JsonOption = False) -> None:
    """Forget where a reviewer is reached."""
    open_client(ctx).channels.remove_contact(principal, kind)
    show_json({"forgotten": {"principal": principal, "kind": kind}}) if json_output else say(f"{principal}: no {kind} any more")


def _row(channel: Channel) -> tuple[str, ...]:
    reaches = [f"role {channel.role}" if channel.role else "", channel.principal or "", "a target" if channel.has_target else ""]
    state = "on" if channel.enabled else "off"
    return channel.channel, channel.name, channel.kind, ", ".join(filter(None, reaches)), " ".join(channel.events), state


def _delivery_row(one: Delivery) -> tuple[str, ...]:
    return one.delivery, one.type, one.state, str(one.attempts), moment(one.created_at), one.reason


def _contact_row(one: Contact) -> tuple[str, ...]:
    return (one.principal, one.kind, one.address, "themselves" if one.set_by == one.principal else one.set_by, moment(one.set_at))
