"""What the demo writes: lines with the time since its start, and the table at its end."""

import sys
import textwrap
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from examples.delay_claim.demo.outcome import ClaimOutcome, Evidence
from examples.delay_claim.demo.stack import DemoStack

SILENCE_SECONDS_MAX = 4.5
"""Whoever watches is told something at least this often."""


class Screen:
    """Writes lines; the clock starts when it is made."""

    def __init__(self) -> None:
        self._start = self._spoke_at = time.monotonic()

    def say(self, text: str = "") -> None:
        """Write a line as it is."""
        self._spoke_at = time.monotonic()
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def step(self, text: str) -> None:
        """Write a line with the seconds since the start."""
        self.say(f"[{time.monotonic() - self._start:5.1f} s] {text}")

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._start

    def silent_too_long(self) -> bool:
        """Tell whether nothing was written for `SILENCE_SECONDS_MAX`."""
        return time.monotonic() - self._spoke_at > SILENCE_SECONDS_MAX

    @contextmanager
    def while_waiting(self, text: str) -> Generator[None]:
        """Write `text` whenever nothing else was written for a while, until the block ends."""
        done = threading.Event()

        def remind() -> None:
            while not done.wait(0.25):
                if self.silent_too_long():
                    self.step(text)

        reminder = threading.Thread(target=remind)
        reminder.start()
        try:
            yield
        finally:
            done.set()
            reminder.join()

    def ask(self, question: str) -> bool:
        """Ask the person at the terminal until the answer is yes or no.

        Raises:
            KeyboardInterrupt: the terminal was closed (Ctrl-D), which answers nothing.
        """
        while True:
            try:
                answer = input(f"{question} [y/n] ").strip().lower()
            except EOFError:
                raise KeyboardInterrupt from None
            if answer in ("y", "yes", "n", "no"):
                return answer.startswith("y")


def usd(micros: int) -> str:
    """Return an amount of micro-USD for people."""
    return f"{micros / 1_000_000:,.2f} USD"


def verdict_of(outcome: ClaimOutcome, evidence: Evidence) -> str:
    """Say what the agent decided and what became of it; a failed run has no output, and only a verdict `pay` ever reserves."""
    if outcome.run.succeeded:
        said = str(outcome.result.get("verdict"))
        return f"{said}, approved" if outcome.decision == "approve" else said
    if outcome.decision == "reject":
        return "pay, rejected by a person"
    return "pay, undone" if evidence.of_claim(outcome.claim_id)["releases"] else f"failed: {outcome.error_code}"


_RIGHT = frozenset({2, 4, 5})
"""Columns of figures."""


def table(outcomes: Sequence[ClaimOutcome], evidence: Evidence, *, model: str) -> list[str]:
    """Return the lines of the table."""
    rows = [("claim", "verdict", "paid", "model", "tokens", "cost", "ledger")]
    for outcome in outcomes:
        usage, ledger = outcome.run.usage, outcome.ledger
        rows.append(
            (
                outcome.claim_id,
                verdict_of(outcome, evidence),
                usd(evidence.of_claim(outcome.claim_id)["net_paid_micros"]),
                model,
                f"{usage.input_tokens + usage.output_tokens:,}",
                f"${usage.cost_usd_micros / 1_000_000:.4f}",
                f"verified, {ledger.entries} entries" if ledger.ok else f"BROKEN at entry {ledger.broken_seq}",
            )
        )
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = ["  ".join(_cell(row[place], width, place) for place, width in enumerate(widths)).rstrip() for row in rows]
    return [lines[0], "─" * max(len(line) for line in lines), *lines[1:]]


def _cell(text: str, width: int, place: int) -> str:
    return text.rjust(width) if place in _RIGHT else text.ljust(width)


def bank_line(evidence: Evidence) -> str:
    """Return what the bank itself counts."""
    bank = evidence.bank
    parts = [
        f"{bank['payments']['count']} payments of {usd(bank['net_paid_micros'])} in all",
        f"{bank['releases']['count']} reservation released",
        f"{bank['refunds']['count']} refunds",
        f"{len(bank['paid_more_than_once'])} claims paid twice",
        f"books {'balanced' if bank['balanced'] else 'NOT balanced'}",
    ]
    return f"The bank's own count: {', '.join(parts)}."


def links(outcomes: Sequence[ClaimOutcome], stack: DemoStack) -> list[str]:
    """Return the Web UI link of each run."""
    return [f"  {outcome.claim_id}  {stack.run_url(outcome.run.run)}" for outcome in outcomes]


def commands(outcomes: Sequence[ClaimOutcome]) -> list[str]:
    """Return three commands to explore further."""
    killed = next((outcome for outcome in outcomes if outcome.attempts("settle.notify") > 1), outcomes[0]).run.run
    return [f".venv/bin/standfast trace {killed}", f".venv/bin/standfast verify {killed}", ".venv/bin/standfast runs"]


def paragraph(text: str) -> str:
    """Return text wrapped for a terminal."""
    return textwrap.fill(text, width=110)
