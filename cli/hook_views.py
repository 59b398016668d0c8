"""What people see of inbound webhooks. Pure: nothing is written here."""

from cli.views import Fields, moment
from standfast_client import Hook, HookRequest

HOOK_COLUMNS = ("HOOK", "NAME", "SCHEME", "DOES", "ENABLED", "SECRETS")
REQUEST_COLUMNS = ("WEBHOOK", "STATE", "RUN", "RECEIVED", "SETTLED", "ATTEMPTS", "DETAIL")


def does(hook: Hook) -> str:
    """Return what a hook's requests do, in a few words."""
    action = hook.action
    return f"start {action['definition']}" if action.get("kind") == "start" else f"signal {action.get('signal')}"


def hook_row(hook: Hook) -> tuple[str, ...]:
    """Return a row of the list of hooks."""
    return hook.hook, hook.name, hook.scheme, does(hook), "yes" if hook.enabled else "no", str(len(hook.secrets))


def hook_fields(hook: Hook, *, gateway: str) -> Fields:
    """Return everything about one hook; `gateway` is the URL that its address is below of."""
    return [
        ("hook", hook.hook),
        ("name", hook.name),
        ("address", gateway.rstrip("/") + hook.address),
        ("scheme", hook.scheme),
        ("does", does(hook)),
        ("when", hook.when),
        ("enabled", "yes" if hook.enabled else "no"),
        ("tolerance", f"{hook.tolerance_s} s"),
        ("rate", f"{hook.rate_per_minute} a minute"),
        *((f"secret {name}", "valid" if until is None else f"valid until {moment(until)}") for name, until in hook.secrets.items()),
        ("created by", hook.created_by),
        ("created", moment(hook.created_at)),
    ]


def request_row(request: HookRequest) -> tuple[str, ...]:
    """Return a row of the list of requests."""
    settled, received = moment(request.settled_at) or "", moment(request.received_at) or ""
    return request.webhook_id, request.state, request.run or "", received, settled, str(request.attempts), request.detail or ""
