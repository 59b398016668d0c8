"""Sagas: look at them, have them undone."""

from standfast_client.exchange import Flow, Link, get, parse, post
from standfast_client.flows.runs import fetch, run_path
from standfast_client.models import Run
from standfast_client.sagas import RunSagas


def read(link: Link, run: str) -> Flow[RunSagas]:
    """Read the state of a run's sagas."""
    return parse((yield from link.ask(get(f"{run_path(run)}/sagas"))), RunSagas)


def compensate(link: Link, run: str, *, reason: str, idempotency_key: str | None) -> Flow[Run]:
    """Have a run undo what its open sagas did."""
    yield from link.ask(post(f"{run_path(run)}/compensate", {"reason": reason}, idempotency_key=idempotency_key))
    return (yield from fetch(link, run))
