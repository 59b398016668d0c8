"""The real gateway app over fake stores, listening on a loopback port."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from standfast_client import AsyncStandfast, RetryPolicy, Standfast
from tests.api.gateway import Gateway, gateway

QUICK = RetryPolicy(first_delay_s=0.0, delay_s_max=0.01)
"""Repeats without waiting."""


@dataclass(frozen=True)
class LiveGateway:
    """A gateway that answers at `url`; `house` holds its stores and keys."""

    house: Gateway
    url: str

    def client(self, who: str = "admin") -> Standfast:
        """Return a blocking client with this principal's key."""
        return Standfast(self.url, self.house.keys[who], retry=QUICK)

    def async_client(self, who: str = "admin") -> AsyncStandfast:
        """Return an asynchronous client with this principal's key."""
        return AsyncStandfast(self.url, self.house.keys[who], retry=QUICK)

    def write_dev_file(self, state_dir: Path) -> Path:
        """Write the `dev.json` that `standfast dev` would, and return the state folder."""
        state_dir.mkdir(parents=True, exist_ok=True)
        content = {"gateway_url": self.url, "api_keys": self.house.keys}
        (state_dir / "dev.json").write_text(json.dumps(content), encoding="utf-8")
        return state_dir


class _Server(uvicorn.Server):
    """Says when it listens; signals stay with pytest."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = threading.Event()

    async def startup(self, sockets: list[object] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - passed on as it is
        """Listen, then say so."""
        await super().startup(sockets)  # pyright: ignore[reportArgumentType] - as above
        self.listens.set()

    @property
    def port(self) -> int:
        """The port the system chose."""
        return self.servers[0].sockets[0].getsockname()[1]


@contextmanager
def live_gateway(*, send_s: float = 20.0) -> Generator[LiveGateway]:
    """Serve a gateway until the block ends; `send_s` is how long a watcher of events may be slow."""
    house = gateway(send_s=send_s)
    server = _Server(uvicorn.Config(house.app, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        assert server.listens.wait(60), "the gateway did not start"
        yield LiveGateway(house, f"http://127.0.0.1:{server.port}")
    finally:
        server.should_exit = True
        thread.join(60)
