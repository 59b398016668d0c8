"""What the demo writes: lines with the time since its start, and the table at its end."""

import sys
import textwrap
import time
from collections.abc import Sequence

from examples.delay_claim.demo.outcome import ClaimOutcome, Evidence
from examples.delay_claim.demo.stack import DemoStack


class Screen:
    """Writes lines; the clock starts when it is made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def say(self, text: str = "") -> None:
        """Write a line as it is."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def step(self, text: str) -> None:
        """Write a line with the seconds since the start."""
        self.say(f"[{time.monotonic() - self._start:5.1f} s] {text}")

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._start

    def ask(self, question: str) -> bool:
        """Ask the person at the terminal until the answer is yes or no."""
        while True:
            answer = input(f"{question} [y/n] ").strip().lower()
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
    right = {2, 4, 5}
    lines = [
        "  ".join(c.rjust(w) if p in right else c.ljust(w) for p, (c, w) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
    return [lines[0], "─" * max(len(line) for line in lines), *lines[1:]]


def bank_lines(evidence: Evidence) -> list[str]:
    """Return what the bank itself counts."""
    bank = evidence.bank
    return [
        f"The bank's own count: {bank['payments']['count']} payments, {usd(bank['net_paid_micros'])}; "
        f"{bank['releases']['count']} reservation released, {bank['refunds']['count']} refunds; "
        f"{len(bank['paid_more_than_once'])} claims paid twice; {bank['calls']} calls under {bank['keys']} keys; "
        f"books {'balanced' if bank['balanced'] else 'NOT balanced'}.",
    ]


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
