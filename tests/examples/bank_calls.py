"""The four bank calls of one claim, as a well-behaved caller makes them."""

import httpx2

from tests.examples.running_service import Caller

AMOUNT = 120_000_000
OPENING = 1_000_000_000_000


def reserve(bank: Caller, claim: str = "C1", *, key: str = "reserve-1", amount: int = AMOUNT) -> httpx2.Response:
    """Reserve `amount` micro-USD under the id `res-<claim>`."""
    return bank.post("/reservations", _money(claim, amount), key=key)


def release(bank: Caller, claim: str = "C1", *, key: str = "release-1") -> httpx2.Response:
    """Undo the reservation."""
    return bank.post(f"/reservations/res-{claim}/release", {"claim_id": claim}, key=key)


def pay(bank: Caller, claim: str = "C1", *, key: str = "pay-1", amount: int = AMOUNT, timeout_seconds: float = 20) -> httpx2.Response:
    """Pay from the reservation, under the id `pay-<claim>`."""
    body = {**_money(claim, amount), "payment_id": f"pay-{claim}", "payee": f"passenger-of-{claim}"}
    return bank.post("/payments", body, key=key, timeout_seconds=timeout_seconds)


def refund(bank: Caller, claim: str = "C1", *, key: str = "refund-1") -> httpx2.Response:
    """Undo the payment."""
    return bank.post(f"/payments/pay-{claim}/refund", {"claim_id": claim}, key=key)


def balance(bank: Caller, account: str) -> int:
    """Return what an account holds, in micro-USD; 0 when it was never opened."""
    return next((row["balance_micros"] for row in bank.get("/accounts")["accounts"] if row["id"] == account), 0)


def _money(claim: str, amount: int) -> dict[str, object]:
    return {"reservation_id": f"res-{claim}", "claim_id": claim, "amount_micros": amount, "currency": "USD"}
