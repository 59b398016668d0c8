"""Logs who changed where events go or who may send some: no run's ledger says it. No address and no secret is logged."""

import logging

from api.context import RequestContext

log = logging.getLogger(__name__)


def tell(context: RequestContext, what: str, name: str) -> None:
    """Log that the caller did `what` (a verb, past tense) to `name`, an id."""
    principal = context.principal
    log.info("%s %s, by %s of tenant %s, correlation id %s", name, what, principal.id, principal.tenant, context.correlation_id)
