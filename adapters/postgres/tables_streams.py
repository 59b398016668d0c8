"""The table of deltas: unlogged, in partitions by time that are emptied whole, never row by row (JOURNAL §6)."""

from sqlalchemy import Integer, LargeBinary, SmallInteger, Text

from adapters.postgres.columns import Table, column


class StreamDeltas(Table, table=True):
    """What one flush had of one attempt: the deltas up to number `last`, sealed; `slot` is the half hour it was written in, modulo 4."""

    tenant_id: str = column(Text(), primary_key=True)
    run: str = column(Text(), primary_key=True)
    step: str = column(Text(), primary_key=True)
    visit: int = column(Integer(), primary_key=True)
    call: str = column(Text(), primary_key=True)
    epoch: int = column(Integer(), primary_key=True)
    attempt: int = column(Integer(), primary_key=True)
    last: int = column(Integer(), primary_key=True)
    slot: int = column(SmallInteger(), primary_key=True)
    sealed: bytes = column(LargeBinary())
