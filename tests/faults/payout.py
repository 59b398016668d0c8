"""The saga that fault tests break: reserve, pay, notify against the example's bank and mail services, and what its end must look like."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.examples.running_service import Caller, wait_until
from tests.servers.stack import LiveStack

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "examples" / "delay_claim" / "bundle" / "tools"

Json = dict[str, Any]  # Any: tests index into answers whose shape they are there to check

PAYOUT = """\
standfast: 1
name: payout
version: 1.0.0
input: {schema: {type: object, required: [claim, amount], properties: {claim: {type: string}, amount: {type: integer}}}}
do:
  - settle:
      saga:
        - reserve:
            call: bank.reserve
            with: {reservation_id: "res-${ input.claim }", claim_id: "${ input.claim }", amount_micros: "${ input.amount }", currency: USD}
            compensate:
              call: bank.release
              with: {reservation_id: "res-${ input.claim }", claim_id: "${ input.claim }"}
              if_unknown: compensate
        - pay:
            call: bank.pay
            with:
              payment_id: "pay-${ input.claim }"
              reservation_id: "res-${ input.claim }"
              claim_id: "${ input.claim }"
              payee: "p-${ input.claim }"
              amount_micros: "${ input.amount }"
              currency: USD
            compensate:
              call: bank.refund
              with: {payment_id: "pay-${ input.claim }", claim_id: "${ input.claim }"}
              if_unknown: compensate
        - notify:
            call: mail.send
            with: {claim_id: "${ input.claim }", to: "a@example.com", subject: paid, body: "we paid ${ input.claim }"}
output: "${ steps.settle.pay.output.payment_id }"
"""

HEARTBEAT = "timeout_s: 6\nheartbeat_s: 1"
"""A dead worker is noticed after a second, so that a killed attempt is soon tried again."""


def payout_bundle(bank_url: str, mail_url: str) -> dict[str, str]:
    """Return the bundle's files, its tools pointed at the running services."""
    files = {"payout.yaml": PAYOUT}
    for place in sorted(TOOLS.glob("*.yaml")):
        text = place.read_text(encoding="utf-8").replace("http://127.0.0.1:8401", bank_url).replace("http://127.0.0.1:8402", mail_url)
        kept = [line for line in text.splitlines() if not line.startswith(("heartbeat_s", "timeout_s"))]
        files[f"tools/{place.name}"] = "\n".join(kept) + f"\n{HEARTBEAT}\n"
    return files


@dataclass
class Payouts:
    """A stack with the payout definition registered, and the two services."""

    stack: LiveStack
    bank: Caller
    mail: Caller

    def register(self) -> None:
        """Register the bundle."""
        with self.stack.api("developer") as api:
            answer = api.post("/v1/definitions", json={"files": payout_bundle(self.bank.url, self.mail.url)})
            assert answer.status_code == 201, answer.text

    def start(self, claim: str, *, amount: int = 50_000_000, definition: str = "payout") -> str:
        """Start a run, again until the gateway takes it, and return its id; the claim is the Idempotency-Key."""
        started: list[str] = []

        def accepted() -> bool:
            try:
                with self.stack.api("operator") as api:
                    body = {"definition": definition, "input": {"claim": claim, "amount": amount}}
                    answer = api.post("/v1/runs", json=body, headers={"Idempotency-Key": claim})
            except httpx2.HTTPError:
                return False
            if answer.status_code == 202:
                started.append(answer.json()["run"])
            return bool(started)

        wait_until(accepted, seconds_max=60)
        return started[0]

    def end(self, run: str, *, seconds_max: float = 120) -> Json:
        """Wait until the run has ended and return its outcome."""
        ended: list[Json] = []

        def closed() -> bool:
            try:
                with self.stack.api("viewer") as api:
                    answer = api.get(f"/v1/runs/{run}/result", params={"wait": 5})
            except httpx2.HTTPError:
                return False
            if answer.status_code == 200:
                ended.append(answer.json())
            return bool(ended)

        wait_until(closed, seconds_max=seconds_max)
        return ended[0]

    def sealed(self, run: str, *, seconds_max: float = 60) -> Json:
        """Wait until every entry of a run that has ended is a leaf of the log, and return its evidence bundle."""
        found: list[Json] = []

        def is_sealed() -> bool:
            with self.stack.api("auditor") as api:
                answer = api.get(f"/v1/runs/{run}/ledger/bundle")
            assert answer.status_code == 200, answer.text
            if all(entry["leaf_index"] is not None for entry in answer.json()["entries"]):
                found.append(answer.json())
            return bool(found)

        wait_until(is_sealed, seconds_max=seconds_max)
        return found[0]

    def verified(self, run: str) -> Json:
        """Return the server's verdict on the run's ledger."""
        with self.stack.api("auditor") as api:
            return api.get(f"/v1/runs/{run}/ledger/verify").json()

    def payments(self, claim: str) -> list[Json]:
        """Return the bank's own record of payments that took effect for a claim."""
        return [effect for effect in self.bank.get("/log")["effects"] if effect.get("claim_id") == claim]
