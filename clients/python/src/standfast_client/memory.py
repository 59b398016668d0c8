"""What the gateway answers about memory. Times are RFC 3339 UTC."""

from standfast_client.models import Received


class MemoryRecord(Received):
    """A text that a run saved. `labels` say where it comes from; `quarantine` is why it is not recalled, None where it is."""

    record: str
    namespace: str
    text: str
    labels: list[str]
    run: str
    agent: str | None = None
    saved_at: str
    quarantine: str | None = None
