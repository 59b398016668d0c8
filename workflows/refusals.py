"""Refusing a decision or an answer with the refusal's code. Deterministic."""

from typing import NoReturn

from temporalio.exceptions import ApplicationError

from activities.failures import FailureDetails, application_error
from domain.envelope import Receipt
from domain.errors import StandfastError


def demand(live: Receipt) -> None:
    """Go on only if a check said yes.

    Raises:
        ApplicationError: with the code of the refusal as its type.
    """
    if not live.fields.get("ok"):
        raise ApplicationError(str(live.fields.get("detail")), type=str(live.fields.get("code")), non_retryable=True)


def refused_error(error: StandfastError) -> ApplicationError:
    """Return the ApplicationError of a refused decision."""
    return application_error(error, FailureDetails(detail=error.detail), final=True)


def refuse(error: StandfastError) -> NoReturn:
    """Refuse a decision.

    Raises:
        ApplicationError: with the error's code as its type.
    """
    refused = refused_error(error)
    raise refused
