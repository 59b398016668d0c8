"""What people see behind an approval, and of calendars and substitutes: rows and fields. Pure: nothing is written here."""

from cli.views import Fields, compact, dollars, moment
from standfast_client import ApprovalDetail, ArgumentOrigin, Calendar, Substitution

CALENDAR_COLUMNS = ("NAME", "VERSION", "ZONE", "HOURS", "HOLIDAYS")
SUBSTITUTE_COLUMNS = ("SUBSTITUTION", "REVIEWER", "SUBSTITUTE", "FROM", "TO", "ROLES", "ENDED")

TEXT_SHOWN = 300
"""Longest text of a message on the screen."""


def behind_fields(approval: ApprovalDetail) -> Fields:
    """Return what a reviewer wants to know besides the calls."""
    used = f"{approval.usage.input_tokens} + {approval.usage.output_tokens} tokens, {dollars(approval.usage.cost_usd_micros)}"
    said = [(f"{message.role} said", _shortened(message.text, message.tools)) for message in approval.messages]
    past = [(f"before: {each.state}", f"{each.title} by {each.decided_by} {moment(each.decided_at)}") for each in approval.alike]
    return [
        *([("whole arguments", compact(dict(approval.whole)))] if approval.whole is not None else []),
        ("assigned to", approval.assignee),
        ("run used so far", used),
        *((f"from {each.step}.{each.argument}", origin_text(each)) for each in approval.provenance),
        *said,
        *past,
    ]


def origin_text(origin: ArgumentOrigin) -> str:
    """Return where a value comes from, in words."""
    places = [" ".join(word for word in (each.source, each.step, each.path) if word) for each in origin.origins]
    shaped = f" (shaped by {', '.join(origin.labels)})" if origin.labels else ""
    return ("computed from " if origin.computed else "") + ", ".join(places) + shaped


def _shortened(text: str, tools: list[str]) -> str:
    shown = text if len(text) <= TEXT_SHOWN else f"{text[:TEXT_SHOWN]}…"
    return f"{shown} [calls {', '.join(tools)}]" if tools else shown


def hours_text(calendar: Calendar) -> str:
    """Return the working hours of a week on one line."""
    days = [" ".join([day, *(f"{span['from']}–{span['to']}" for span in spans)]) for day, spans in calendar.hours.items() if spans]
    return ", ".join(days)


def calendar_row(calendar: Calendar) -> tuple[str, ...]:
    """Return a row of the list of calendars."""
    return (calendar.name, str(calendar.version), calendar.zone, hours_text(calendar), str(len(calendar.holidays)))


def calendar_fields(calendar: Calendar) -> Fields:
    """Return all of a calendar."""
    holidays = [(f"holiday {each['date']}", each.get("name") or "(no name)") for each in calendar.holidays]
    return [
        ("calendar", f"{calendar.name}@{calendar.version}"),
        ("zone", calendar.zone),
        ("hours", hours_text(calendar)),
        ("stored", f"{moment(calendar.created_at)} by {calendar.created_by}"),
        ("retired", moment(calendar.retired_at)),
        *holidays,
    ]


def substitute_row(row: Substitution) -> tuple[str, ...]:
    """Return a row of the list of substitutes."""
    times = [moment(each) or "" for each in (row.since, row.until, row.ended_at)]
    return (row.substitution, row.reviewer, row.substitute, times[0], times[1], ", ".join(row.roles) or "all", times[2])
