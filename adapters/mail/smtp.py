"""Hands one mail to an SMTP server and says what its answer means (RFC 5321 §4.2.1: 4xx passes, 5xx stays).

One connection for each attempt: mails to reviewers are few, and a connection kept open would be one that has to be watched.
"""

import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal

import aiosmtplib

from domain.deliveries import AttemptResult

TIMEOUT_S = 8.0
"""Of each exchange with the server: three of them fit into an attempt."""

BUSY = 421
"""RFC 5321 §4.2.3: the server closes the channel, it has had enough for now."""

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, kw_only=True)
class SmtpServer:
    """Where mails go. `starttls` and `tls` refuse a server that does not encrypt or whose certificate is not its own."""

    host: str
    port: int
    security: Security = "starttls"
    username: str | None = None
    password: str | None = None
    context: ssl.SSLContext | None = None
    timeout_s: float = TIMEOUT_S


async def hand_over(server: SmtpServer, mail: EmailMessage, *, sender: str, to: str) -> AttemptResult:
    """Give the mail to the server. What the server says becomes the result, what went wrong before that too."""
    try:
        async with _connection(server) as smtp:
            if server.username is not None:
                await smtp.login(server.username, server.password or "")
            _, said = await smtp.send_message(mail, sender=sender, recipients=[to])
        return _answered(250, said)
    except aiosmtplib.SMTPRecipientsRefused as error:
        return _answered(error.recipients[0].code, error.recipients[0].message)
    except aiosmtplib.SMTPAuthenticationError as error:  # the operator mends it, so the mail waits
        return AttemptResult(outcome="failed", status=error.code, detail="the mail server refuses STANDFAST_SMTP_USERNAME")
    except aiosmtplib.SMTPResponseException as error:
        return _answered(error.code, error.message)
    except (aiosmtplib.SMTPTimeoutError, TimeoutError):
        return AttemptResult(outcome="failed", detail=f"the mail server did not answer within {server.timeout_s:g} s")
    except (aiosmtplib.SMTPException, OSError) as error:
        return AttemptResult(outcome="failed", detail=_broken(error))


def _connection(server: SmtpServer) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        timeout=server.timeout_s,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=None if server.security == "none" else server.context or ssl.create_default_context(),
    )


def _broken(error: aiosmtplib.SMTPException | OSError) -> str:
    """Return a sentence for what ended the exchange before the server answered; never what a server made up."""
    causes = (error, error.__cause__, error.__context__)
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if tls is not None:
        return f"no encrypted connection to the mail server: {tls.reason or 'TLS failed'}"
    if isinstance(error, aiosmtplib.SMTPException) and "STARTTLS" in error.message:
        return "the mail server offers no STARTTLS; nothing is sent in plain text"
    return f"the mail server {'cannot be reached' if isinstance(error, aiosmtplib.SMTPConnectError) else 'broke off'}"


def _answered(code: int, said: str) -> AttemptResult:
    detail = f"SMTP {code} {' '.join(said.split())}".strip()[:300]
    if 200 <= code < 300:
        return AttemptResult(outcome="sent", status=code, detail=detail)
    if code < 500:
        return AttemptResult(outcome="throttled" if code == BUSY else "failed", status=code, detail=detail)
    return AttemptResult(outcome="refused", status=code, detail=detail)
