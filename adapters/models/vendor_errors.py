"""A vendor's failures as errors of our tree: what may pass is `ModelUnavailable`, the rest `ModelFailed`; no secret in any text."""

import asyncio
import contextlib
import email.utils
import math
import re
import time
from collections.abc import AsyncGenerator, Generator, Mapping

from domain.errors import ModelFailed, ModelUnavailable

_PASSING_STATUSES = frozenset({408, 409, 429})
"""Request timeout, lock conflict, rate limit: the 4xx that both vendors' SDKs retry."""

_LASTING_KINDS = frozenset(
    {
        "authentication_error",
        "billing_error",
        "invalid_prompt",
        "invalid_request_error",
        "not_found_error",
        "permission_error",
        "request_too_large",
        "validationException",
    }
)
"""Error types inside a stream that another attempt will not mend (Anthropic errors page; OpenAI `ResponseError.code`;
Bedrock `ResponseStream`)."""

_HINTS = {401: "; check the API key", 403: "; check the rights of the API key", 404: "; check the model's name and the base URL"}
_SECRET = re.compile(r"(?i)\b(sk|pk|key|gsk|xai)-[A-Za-z0-9_*.-]{6,}|\bbearer\s+\S+")
_TEXT_CHARS_MAX = 500


class VendorErrors:
    """Builds the errors of one vendor. `vendor` starts the sentences; `api_key` is cut out of every text."""

    def __init__(self, vendor: str, api_key: str | None) -> None:
        self._vendor = vendor
        self._api_key = api_key

    def from_status(self, status: int, message: str, headers: Mapping[str, str]) -> ModelUnavailable | ModelFailed:
        """Return the error of an HTTP answer ≥400; `x-should-retry` decides before the status does. `headers` has lower-case keys."""
        detail = f"{self._vendor} answered {status}: {self._safe(message)}"
        verdict = headers.get("x-should-retry")
        passing = status >= 500 or status in _PASSING_STATUSES if verdict not in ("true", "false") else verdict == "true"
        if passing:
            return ModelUnavailable(detail, retry_after_s=retry_after_s(headers, now=time.time()))
        return ModelFailed(detail + _HINTS.get(status, ""))

    def from_kind(self, kind: str | None, message: str) -> ModelUnavailable | ModelFailed:
        """Return the error that a vendor sent inside an answer that began well; an unknown kind may pass."""
        error_class = ModelFailed if kind in _LASTING_KINDS else ModelUnavailable
        return error_class(f"{self._vendor} broke off with {kind or 'an error'}: {self._safe(message)}")

    def unreachable(self, reason: str) -> ModelUnavailable:
        """Return the error of a connection that failed or broke."""
        return ModelUnavailable(f"{self._vendor} could not be reached: {self._safe(reason)}")

    def cut_off(self) -> ModelUnavailable:
        """Return the error of a stream that ended before the vendor said that the answer was complete."""
        return ModelUnavailable(f"{self._vendor} ended its stream before the answer was complete")

    def not_the_protocol(self, reason: str) -> ModelFailed:
        """Return the error of an answer that is not of the vendor's protocol."""
        return ModelFailed(f"{self._vendor} sent an answer that is not of its protocol ({self._safe(reason)}); check the base URL")

    @contextlib.contextmanager
    def reading(self) -> Generator[None]:
        """Turn a surprise while an answer is read into `ModelFailed`: the SDKs build objects without checking their shape."""
        try:
            yield
        except (AttributeError, TypeError, LookupError, ValueError) as error:
            raise self.not_the_protocol(type(error).__name__) from None

    @contextlib.asynccontextmanager
    async def deadline(self, timeout_s: float) -> AsyncGenerator[None]:
        """Bound the whole call, not only each read of it.

        Raises:
            ModelUnavailable: `timeout_s` have passed.
            TimeoutError: the body raised one of its own.
        """
        scope = asyncio.timeout(timeout_s)
        try:
            async with scope:
                yield
        except TimeoutError:
            if not scope.expired():
                raise
            raise ModelUnavailable(f"{self._vendor} did not answer within {timeout_s:g} seconds") from None

    def _safe(self, text: str) -> str:
        if self._api_key:
            text = text.replace(self._api_key, "[API key]")
        return _SECRET.sub("[API key]", text)[:_TEXT_CHARS_MAX]


def retry_after_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return the seconds to wait, from `retry-after-ms`, else `retry-after` (seconds or an HTTP date); `now` is Unix time."""
    for header, per_second in (("retry-after-ms", 1000), ("retry-after", 1)):
        with contextlib.suppress(ValueError):
            seconds = float(headers.get(header, "")) / per_second
            if math.isfinite(seconds) and seconds >= 0:
                return seconds
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, date.timestamp() - now)
    return None
