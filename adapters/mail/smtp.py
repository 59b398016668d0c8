"""Hands one mail to an SMTP server and says what its answer means (RFC 5321 §4.2.1: 4xx passes, 5xx stays).

smtplib in a thread: an attempt is one connection with its own timeouts, and none outlives the delivery's attempt.
"""

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal

from domain.deliveries import AttemptResult

TIMEOUT_S = 8.0
"""Of each exchange with the server: three of them fit into an attempt."""

TOO_MUCH = frozenset({421, 450, 451, 452})
"""RFC 5321 §4.2.3: the server or the mailbox is busy, or has had enough for now."""

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


def hand_over(server: SmtpServer, mail: EmailMessage, *, sender: str, to: str) -> AttemptResult:
    """Give the mail to the server; blocks. What the server says becomes the result, what went wrong before that too."""
    try:
        with _connected(server) as smtp:
            refused = smtp.send_message(mail, from_addr=sender, to_addrs=[to])
        code, text = next(iter(refused.values())) if refused else (250, b"")
        return _answered(code, text)
    except smtplib.SMTPRecipientsRefused as error:
        return _answered(*next(iter(error.recipients.values())))
    except smtplib.SMTPAuthenticationError as error:  # the operator mends it, so the mail waits
        return AttemptResult(outcome="failed", status=error.smtp_code, detail="the mail server refuses STANDFAST_SMTP_USERNAME")
    except smtplib.SMTPResponseException as error:
        return _answered(error.smtp_code, error.smtp_error)
    except smtplib.SMTPNotSupportedError:
        return AttemptResult(outcome="failed", detail="the mail server offers no STARTTLS; nothing is sent in plain text")
    except ssl.SSLError as error:
        return AttemptResult(outcome="failed", detail=f"no encrypted connection to the mail server: {error.reason or 'TLS failed'}")
    except (smtplib.SMTPException, OSError) as error:  # smtplib says of a late answer that the server disconnected
        late = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
        why = f"did not answer within {server.timeout_s:g} s" if late else f"broke off ({type(error).__name__})"
        return AttemptResult(outcome="failed", detail=f"the mail server {why}")


def _connected(server: SmtpServer) -> smtplib.SMTP:
    """Return an open, encrypted and authenticated connection.

    Raises:
        smtplib.SMTPException, OSError: it cannot be had.
    """
    context = server.context or ssl.create_default_context()
    if server.security == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=server.timeout_s, context=context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
    try:
        if server.security == "starttls":
            smtp.starttls(context=context)
        if server.username is not None:
            smtp.login(server.username, server.password or "")
    except BaseException:
        smtp.close()
        raise
    return smtp


def _answered(code: int, text: bytes | str) -> AttemptResult:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    detail = f"SMTP {code} {' '.join(said.split())}".strip()[:300]
    if 200 <= code < 300:
        return AttemptResult(outcome="sent", status=code, detail=detail)
    if code in TOO_MUCH:
        return AttemptResult(outcome="throttled" if code == 421 else "failed", status=code, detail=detail)
    return AttemptResult(outcome="failed" if code < 500 else "refused", status=code, detail=detail)
