"""A row of a tenant in every table of the tool registry."""

from adapters.postgres.pool import Database
from adapters.postgres.tool_store import PostgresToolStore
from adapters.postgres.tool_watch import PostgresToolWatch
from domain.tool_access import ToolGrant
from domain.tool_anomalies import Anomaly, AnomalyKind, Baseline
from domain.tool_registry import ToolChange, ToolState


async def fill_tools(db: Database, tenant: str) -> None:
    """Grant a tool, and hold it back for an unusual call; the call itself is audited with its ledger entry."""
    store, watch = PostgresToolStore(db), PostgresToolWatch(db)
    await store.grant(tenant, ToolGrant(grant="tgr_1", tools=("bank.pay",), granted_by="prn_a"))
    await store.change(tenant, "bank.pay", "1.0.0", ToolChange(state=ToolState.QUARANTINED, reason="odd", by="prn_a", at=""))
    epoch = await watch.claim(tenant, holder="a", lease_s=60)
    odd = Anomaly(kind=AnomalyKind.RATE, run="r", seq=1, tool="bank.pay", version="1.0.0", detail="many", at="2026-01-02T03:04:05Z")
    await watch.watched(tenant, epoch=epoch or 0, txid=0, baselines={("bank.pay", "1.0.0"): Baseline()}, found=[odd])
