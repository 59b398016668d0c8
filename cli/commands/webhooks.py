"""`webhooks`: where events go, and what became of each delivery."""

from typing import Annotated

import typer

from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.screen import note, say, show_fields, show_json, show_table
from cli.webhook_views import (
    ATTEMPT_COLUMNS,
    DELIVERY_COLUMNS,
    WEBHOOK_COLUMNS,
    attempt_row,
    delivery_fields,
    delivery_row,
    webhook_fields,
    webhook_row,
)
from standfast_client import Webhook

WebhookArgument = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id: whk_ and 26 characters.")]
DeliveryArgument = Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id: dlv_ and 26 characters.")]
EventOption = Annotated[list[str] | None, typer.Option("--event", help="A type, such as run.succeeded, run.* or *; may be given often.")]
Limit = Annotated[int, typer.Option(help="At most so many.", min=1)]


def webhooks(ctx: typer.Context, *, limit: Limit = 50, json_output: JsonOption = False) -> None:
    """List webhooks."""
    if ctx.invoked_subcommand is not None:
        return
    listed = open_client(ctx).webhooks.list(limit=limit)
    if json_output:
        show_json(listed)
    else:
        show_table(WEBHOOK_COLUMNS, [webhook_row(each) for each in listed], nothing="no webhook")


def add(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="The https URL that takes events.")],
    *,
    event: EventOption = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    ordered: Annotated[bool, typer.Option("--ordered", help="Events of one run arrive one after the other.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Register a URL for events from now on; its secret is shown this once."""
    made = open_client(ctx).webhooks.create(url, event or ["*"], description=description, ordered=ordered)
    _show(made, json_output=json_output)


def show(ctx: typer.Context, webhook: WebhookArgument, *, json_output: JsonOption = False) -> None:
    """Show one webhook."""
    _show(open_client(ctx).webhooks.get(webhook), json_output=json_output)


def change(
    ctx: typer.Context,
    webhook: WebhookArgument,
    *,
    url: Annotated[str | None, typer.Option(help="Another URL.")] = None,
    event: EventOption = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it gets events; also after it answered 410.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Change what is given of a webhook; the rest stays."""
    _show(open_client(ctx).webhooks.change(webhook, url=url, events=event, enabled=enabled), json_output=json_output)


def remove(ctx: typer.Context, webhook: WebhookArgument, *, json_output: JsonOption = False) -> None:
    """Take a webhook away; deliveries that wait are discarded."""
    removed = open_client(ctx).webhooks.remove(webhook)
    if json_output:
        show_json(removed)
    else:
        say(f"{removed.webhook} is gone")


def rotate(
    ctx: typer.Context,
    webhook: WebhookArgument,
    *,
    overlap: Annotated[int, typer.Option(help="Seconds for which the secret before goes on signing.", min=0)] = 86_400,
    json_output: JsonOption = False,
) -> None:
    """Begin a new secret, shown this once; deliveries carry both signatures meanwhile."""
    _show(open_client(ctx).webhooks.rotate(webhook, overlap_s=overlap), json_output=json_output)


def send_test(ctx: typer.Context, webhook: WebhookArgument, *, json_output: JsonOption = False) -> None:
    """Send a test event."""
    sent = open_client(ctx).webhooks.test(webhook)
    if json_output:
        show_json(sent)
        return
    say(sent.delivery)
    note(f"see what came of it with `standfast webhooks delivery {webhook} {sent.delivery}`")


def replay(
    ctx: typer.Context,
    webhook: WebhookArgument,
    *,
    position: Annotated[int | None, typer.Option(help="From this place of the signed log on; 0 is its beginning.", min=0)] = None,
    run: Annotated[str | None, typer.Option(help="Or the events of this run.")] = None,
    sequence: Annotated[int | None, typer.Option(help="From this entry of the run on.", min=1)] = None,
    json_output: JsonOption = False,
) -> None:
    """Send past events again, under the ids they had.

    Raises:
        typer.BadParameter: Neither or both of --position and --run are given.
    """
    if (position is None) == (run is None):
        raise typer.BadParameter("give either --position N or --run RUN")
    done = open_client(ctx).webhooks.replay(webhook, from_position=position, run=run, from_sequence=sequence)
    if json_output:
        show_json(done)
    else:
        say(f"{done.read} entries read, {done.queued} deliveries go out")


def deliveries(
    ctx: typer.Context,
    webhook: WebhookArgument,
    *,
    state: Annotated[str | None, typer.Option(help="Only these: pending, delivered, dead or discarded.")] = None,
    run: Annotated[str | None, typer.Option(help="Only those about this run.")] = None,
    limit: Limit = 50,
    json_output: JsonOption = False,
) -> None:
    """List a webhook's deliveries, the newest first."""
    listed = open_client(ctx).webhooks.deliveries(webhook, state=state, run=run, limit=limit)
    if json_output:
        show_json(listed)
    else:
        show_table(DELIVERY_COLUMNS, [delivery_row(each) for each in listed], nothing="no delivery")


def delivery(ctx: typer.Context, webhook: WebhookArgument, delivery: DeliveryArgument, *, json_output: JsonOption = False) -> None:
    """Show one delivery with every attempt."""
    found = open_client(ctx).webhooks.delivery(webhook, delivery)
    if json_output:
        show_json(found)
        return
    show_fields(delivery_fields(found))
    show_table(ATTEMPT_COLUMNS, [attempt_row(each) for each in found.log], nothing="no attempt yet")


def redeliver(ctx: typer.Context, webhook: WebhookArgument, delivery: DeliveryArgument, *, json_output: JsonOption = False) -> None:
    """Send a delivery again, at once, under the same webhook-id."""
    begun = open_client(ctx).webhooks.redeliver(webhook, delivery)
    if json_output:
        show_json(begun)
    else:
        say(f"{begun.delivery} goes out again, round {begun.round}")


def _show(webhook: Webhook, *, json_output: bool) -> None:
    if json_output:
        show_json(webhook)
        return
    show_fields(webhook_fields(webhook))
    if webhook.secret is not None:
        note("keep the secret now: it is never shown again")
