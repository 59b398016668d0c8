"""A run's ledger: download its stored bytes and check them here."""

from standfast_client.errors import UnexpectedAnswerError
from standfast_client.exchange import Flow, Link, get, parse
from standfast_client.flows.runs import run_path
from standfast_client.models import LedgerHead, LedgerPart
from standfast_client.verify import Head, LedgerEntry, Verdict, verify

_PAGE_ENTRIES = 500


def entries(link: Link, run: str) -> Flow[list[LedgerEntry]]:
    """Download all entries."""
    found, _ = yield from _rest(link, run, after=0)
    return found


def verdict(link: Link, run: str) -> Flow[Verdict]:
    """Download a run's ledger and check it; the gateway is never asked whether it holds.

    The head that the run's row names is read before the entries, so a run that goes on meanwhile has entries behind it. They are
    no fault: the rest is then asked for again, with a newer head, until the two meet or nothing new comes.
    """
    chain: list[LedgerEntry] = []
    while True:
        more, head = yield from _rest(link, run, after=chain[-1].seq if chain else 0)
        chain += more
        if not more or chain[-1].seq <= head.seq:
            return verify(run, chain, Head(head.seq, _bytes_of(head.hash)))


def _rest(link: Link, run: str, *, after: int) -> Flow[tuple[list[LedgerEntry], LedgerHead]]:
    """Download all entries with a sequence above `after`, page by page, and the head as the last page names it."""
    found: list[LedgerEntry] = []
    while True:
        answer = yield from link.ask(get(f"{run_path(run)}/ledger", after=after, limit=_PAGE_ENTRIES))
        part = parse(answer, LedgerPart)
        found += [LedgerEntry(**row.model_dump()) for row in part.entries]
        if part.next_after is None or not part.entries:
            return found, part.head
        after = part.next_after


def _bytes_of(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise UnexpectedAnswerError(f"the head of the ledger is no hex text: {text[:80]!r}") from error
