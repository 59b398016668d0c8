"""What people see of erasures, retention rules and legal holds. Pure: nothing is written here."""

from cli.views import Fields, moment
from standfast_client import LegalHold, Removal, RemovalPlan, RetentionRule

REMOVAL_COLUMNS = ("ERASURE", "MODE", "SUBJECT", "RUNS", "REQUESTED", "COMPLETED")
RULE_COLUMNS = ("DEFINITION", "DAYS", "SET")
HOLD_COLUMNS = ("HOLD", "SCOPE", "NAME", "PLACED", "REASON")


def removal_row(removal: Removal) -> tuple[str, ...]:
    """Return a row of the list of erasures."""
    completed = moment(removal.completed_at) or "not yet"
    return removal.erasure, removal.mode, removal.subject or "", str(removal.runs), moment(removal.requested_at), completed


def removal_fields(removal: Removal) -> Fields:
    """Return everything about one removal, its certificate included."""
    contents = removal.contents
    rows = f"{contents.payloads} payloads, {contents.messages} messages, {contents.approvals} approvals, {contents.tasks} tasks"
    return [
        ("erasure", removal.erasure),
        ("mode", removal.mode),
        ("subject", removal.subject),
        ("requested by", removal.requested_by),
        ("requested", moment(removal.requested_at)),
        ("completed", moment(removal.completed_at) or "not yet"),
        ("runs", str(removal.runs)),
        ("keys destroyed", str(removal.subject_keys)),
        ("rows", rows),
        ("objects", str(removal.objects)),
        ("histories", str(removal.histories)),
        *((f"entry {entry.seq} of {entry.run}", f"{entry.kind} {entry.hash}") for entry in removal.certificate),
    ]


def plan_lines(plan: RemovalPlan) -> list[str]:
    """Return what a removal would take, and what forbids it."""
    contents = plan.contents
    rows = f"{contents.payloads} payloads, {contents.messages} messages, {contents.approvals} approvals, {contents.tasks} tasks"
    return [
        f"{len(plan.runs)} runs{f' of {plan.subject}' if plan.subject else ''}",
        *(f"  {run}{' is open' if run in plan.open_runs else ''}" for run in plan.runs),
        f"{rows}, {plan.subject_keys} keys, and the runs' objects and Temporal histories",
        *(f"forbidden by the legal hold {hold}" for hold in plan.holds),
        *(["forbidden while runs are open"] if plan.open_runs else []),
        "nothing was changed",
    ]


def rule_row(rule: RetentionRule) -> tuple[str, ...]:
    """Return a row of the rules."""
    return rule.definition or "(every other)", str(rule.keep_days), moment(rule.set_at)


def hold_row(hold: LegalHold) -> tuple[str, ...]:
    """Return a row of the holds."""
    return hold.hold, hold.scope, hold.name, moment(hold.placed_at), hold.reason
