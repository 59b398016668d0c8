"""A message to a reviewer as a mail: text and HTML with the same content, one link, nothing loaded from elsewhere. Pure.

No header holds text that could end a line: what people and models wrote is named where it would (`domain/visible_text.py`), and Python's
mail policy refuses the rest.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape

from domain.channels import ReviewMessage
from domain.review_summary import ReviewSummary, ShownCall, dollars, moment
from domain.visible_text import visible, visible_parts

SUBJECT_CHARS_MAX = 200
"""Mail programs show fewer; RFC 5322 §2.1.1 limits a line, and long subjects are folded."""

ONLY_YOURS = "This link is yours alone: whoever opens it decides in your name. Do not forward it. It works once."
NEVER_BY_OPENING = "Opening it decides nothing."


def letter(message: ReviewMessage, *, sender: str, delivery: str, at: str) -> EmailMessage:
    """Return the mail of a delivery. The same delivery gives the same Message-ID and date, so that a repeated one is seen as one.

    Raises:
        ValueError: the sender or the address is no mail address.
    """
    mail = EmailMessage(policy=SMTP)
    domain = sender.rpartition("@")[2]
    mail["From"] = Address(display_name="Standfast", addr_spec=sender)
    mail["To"] = Address(addr_spec=message.address)
    mail["Subject"] = _cut(visible(message.heading), SUBJECT_CHARS_MAX)
    mail["Date"] = datetime.fromisoformat(at)
    mail["Message-ID"] = f"<{delivery}@{domain}>"
    if message.summary is not None:
        mail["References"] = f"<{message.summary.approval}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content("\n".join(_text(message)) + "\n", cte="quoted-printable")
    mail.add_alternative(_html(message), subtype="html", cte="quoted-printable")
    boundary = hashlib.sha256(delivery.encode()).hexdigest()
    mail.set_boundary(f"=_{boundary[:40]}")
    return mail


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _text(message: ReviewMessage) -> Iterator[str]:
    yield visible(message.heading)
    yield ""
    yield from (visible(line) for line in message.lines)
    if message.link is not None:
        yield from ("", "Look at it and decide:", message.link, "", ONLY_YOURS, NEVER_BY_OPENING)
    if message.summary is not None:
        yield from ("", "What will happen")
        for number, call in enumerate(message.summary.calls, 1):
            yield from _call_lines(number, call)
        yield from ("", *(f"{name}: {value}" for name, value in _about(message.summary)))


def _call_lines(number: int, call: ShownCall) -> Iterator[str]:
    yield f"{number}. {visible(call.tool)} {visible(call.version)} (step {visible(call.step)})"
    for argument in call.arguments:
        yield f"   {visible(argument.place)}: {visible(argument.text)}" + ("" if argument.bound else " (not bound)")


def _about(summary: ReviewSummary) -> Iterator[tuple[str, str]]:
    yield "Requested by", visible(summary.requester)
    yield "Opened", moment(summary.opened_at)
    yield "Decide until", moment(summary.deadline) or "no deadline"
    if summary.cost_usd_micros is not None:
        yield "Cost so far", dollars(summary.cost_usd_micros)
    yield "Definition", f"{visible(summary.definition)}, step {visible(summary.step)}"
    yield "Run", summary.run
    yield "Digest", summary.digest


def _html(message: ReviewMessage) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Standfast</title></head>'
        '<body style="font:16px/1.5 sans-serif;max-width:46rem">'
        f'<h1 style="font-size:20px">{_seen(message.heading)}</h1>{"".join(_html_parts(message))}</body></html>\n'
    )


def _html_parts(message: ReviewMessage) -> Iterator[str]:
    yield from (f"<p>{_seen(line)}</p>" for line in message.lines)
    if message.link is not None:
        style = "display:inline-block;padding:10px 22px;background:#0b4fa8;color:#ffffff;text-decoration:none;border-radius:6px"
        yield f'<p><a href="{escape(message.link)}" style="{style}" rel="nofollow noreferrer">Look at it and decide</a></p>'
        yield f"<p>{ONLY_YOURS} {NEVER_BY_OPENING}</p>"
    if message.summary is not None:
        yield '<h2 style="font-size:17px">What will happen</h2>'
        yield from (_html_call(number, call) for number, call in enumerate(message.summary.calls, 1))
        yield '<h2 style="font-size:17px">About this request</h2>'
        yield _table((escape(name), _seen(value)) for name, value in _about(message.summary))


def _html_call(number: int, call: ShownCall) -> str:
    rows = ((_seen(a.place), _seen(a.text) if a.bound else f"<strong>Not bound:</strong> {_seen(a.text)}") for a in call.arguments)
    return f"<p><strong>{number}. {_seen(call.tool)}</strong> {_seen(call.version)}, step {_seen(call.step)}</p>{_table(rows)}"


def _table(rows: Iterator[tuple[str, str]]) -> str:
    cell = 'style="text-align:left;vertical-align:top;border:1px solid #767d87;padding:5px 9px"'
    lines = "".join(f'<tr><th {cell} scope="row">{name}</th><td {cell}><bdi>{value}</bdi></td></tr>' for name, value in rows)
    return f'<table style="border-collapse:collapse">{lines}</table>'


def _seen(text: str) -> str:
    """Return escaped text; each hidden character is marked by its name."""
    return "".join(f"<mark>{escape(part.text)}</mark>" if part.hidden else escape(part.text) for part in visible_parts(text))
