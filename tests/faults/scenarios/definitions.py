"""The definitions that scenarios run, as bundles with the bank's and the mail's real addresses."""

from pathlib import Path

from tests.faults.payout import PAYOUT

TOOLS = Path(__file__).parents[3] / "examples" / "delay_claim" / "bundle" / "tools"

SAGA_EFFECTS = {"reservation": 1, "payment": 1, "message": 1}
"""What one whole payout leaves outside."""

HOLD = """\
standfast: 1
name: hold
version: {version}
input: {{schema: {{type: object, required: [claim], properties: {{claim: {{type: string}}}}}}}}
do:
  - reserve:
      call: bank.reserve
      with: {{reservation_id: "res-${{ input.claim }}", claim_id: "${{ input.claim }}", amount_micros: 1000000, currency: USD}}
output: "${{ steps.reserve.output.reservation_id }}"
"""

LISTENING = """\
standfast: 1
name: listening
version: 1.0.0
input: {schema: {type: object, required: [claim], properties: {claim: {type: string}}}}
do:
  - settled: {listen: {signal: payment.settled, correlate: "${ input.claim }", timeout: 30m}}
  - reserve:
      if: "${ steps.settled.output.sum == 5 }"
      call: bank.reserve
      with: {reservation_id: "res-${ input.claim }", claim_id: "${ input.claim }", amount_micros: 1000000, currency: USD}
output: "${ steps.settled.output.sum }"
"""
"""Waits for a signal, and holds the money then."""

HOLD_EFFECTS = {"reservation": 1}
"""What one whole hold leaves outside."""


def tool_files(bank_url: str, mail_url: str, *, bank_s: int = 5) -> dict[str, str]:
    """Return the example's tools, pointed at the services; a dead worker is noticed after a second.

    `bank_s` is how long an answer of the bank is waited for. Where the bank is told to hang it must be shorter than workers live, or
    every attempt dies with its worker until there are none left.
    """
    files: dict[str, str] = {}
    for place in sorted(TOOLS.glob("*.yaml")):
        text = place.read_text(encoding="utf-8").replace("http://127.0.0.1:8401", bank_url).replace("http://127.0.0.1:8402", mail_url)
        kept = [line for line in text.splitlines() if not line.startswith(("heartbeat_s", "timeout_s"))]
        timeout_s = 30 if place.stem.startswith("mail") else bank_s
        files[f"tools/{place.name}"] = "\n".join(kept) + f"\ntimeout_s: {timeout_s}\nheartbeat_s: 1\n"
    return files


def payout_files(bank_url: str, mail_url: str) -> dict[str, str]:
    """Return the saga reserve → pay → notify; a step is tried three times, for two tries may lose their workers."""
    steps = PAYOUT
    for step in ("reserve", "pay", "notify"):
        steps = steps.replace(f"        - {step}:\n", f"        - {step}:\n            retry: {{max_attempts: 3, delay: 200ms}}\n")
    return {"payout.yaml": steps, **tool_files(bank_url, mail_url, bank_s=2)}


def hold_files(bank_url: str, mail_url: str, *, version: str = "1.0.0") -> dict[str, str]:
    """Return the definition with one step: reserve."""
    return {"hold.yaml": HOLD.format(version=version), **_open_to_hooks(tool_files(bank_url, mail_url))}


def _open_to_hooks(files: dict[str, str]) -> dict[str, str]:
    """Return the tools without guarded arguments: a hook's request, which anybody may have written, names the claim here."""
    kept = {name: [line for line in text.splitlines() if not line.startswith("bindable")] for name, text in files.items()}
    return {name: "\n".join([*lines, "sensitive_arguments: []", ""]) for name, lines in kept.items()}


def listening_files(bank_url: str, mail_url: str) -> dict[str, str]:
    """Return the definition that waits for a signal before its one step."""
    return {"listening.yaml": LISTENING, **tool_files(bank_url, mail_url)}
