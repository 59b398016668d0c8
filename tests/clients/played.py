"""A transport that plays answers by hand and keeps what was asked."""

from collections.abc import Callable

import httpx2

from standfast_client import RetryPolicy, Standfast

Answer = httpx2.Response | Exception
URL = "http://gateway.example"

RUN = {"run": "run_1", "definition": "d", "version": "1.0.0", "status": "running"}


def problem(status: int, code: str, detail: str = "no", **headers: str) -> httpx2.Response:
    """Return a problem as the gateway writes it."""
    return httpx2.Response(status, json={"code": code, "detail": detail, "correlation_id": "c-1", "errors": []}, headers=headers)


class Played:
    """Gives the answers one after the other; the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request."""
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def keys(self) -> set[str | None]:
        """The Idempotency-Keys that were sent."""
        return {request.headers.get("Idempotency-Key") for request in self.asked}


def client_of(handler: Callable[[httpx2.Request], httpx2.Response], *, attempts: int = 4) -> Standfast:
    """Return a client that speaks to the handler and repeats without waiting."""
    policy = RetryPolicy(attempts=attempts, first_delay_s=0.0, delay_s_max=0.0)
    return Standfast(URL, "sf_key", retry=policy, transport=httpx2.MockTransport(handler))
