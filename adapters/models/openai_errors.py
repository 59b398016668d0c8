"""The OpenAI SDK's errors as ours; the SDK serves both OpenAI and the compatible servers."""

import contextlib
import json
from collections.abc import Generator

import httpx2
from openai import APIConnectionError, APIError, APIStatusError, OpenAIError

from adapters.models.vendor_errors import VendorErrors


@contextlib.contextmanager
def translated(errors: VendorErrors) -> Generator[None]:
    """Turn the SDK's errors into ours. The chain is cut: the SDK's errors hold the request, and with it the key."""
    try:
        yield
    except APIStatusError as error:
        raise errors.from_status(error.status_code, error.message, error.response.headers) from None
    except (APIConnectionError, httpx2.HTTPError) as error:
        cause = error.__cause__ or error
        raise errors.unreachable(f"{type(cause).__name__}: {cause}") from None
    except (OpenAIError, json.JSONDecodeError) as error:
        if type(error) is APIError:  # exactly this class: an error event inside a stream
            raise errors.from_kind(error.type or error.code, error.message) from None
        raise errors.not_the_protocol(type(error).__name__) from None
