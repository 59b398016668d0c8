"""The gateway with a planted bug: ids that follow from an Idempotency-Key, of runs or of decisions, are made anew.

python -m tests.faults.harness.gateway gateway
"""

import asyncio
import dataclasses
import os
import signal
from typing import cast

import uvicorn

from api.app import create_app
from api.main import gateway_deps, listening_socket
from api.temporal import RunStarter
from domain.approval import Decision, attest
from domain.ids import format_id
from tests.faults.planted.registry import WORKER_PLANT
from wiring.gateway import gateway_parts
from wiring.logs import set_up_logs
from wiring.processes import leave, run_loop
from workflows.messages import DecisionResult


class SendsAnew:
    """Temporal, told each decision under an id of its own; the rest is the real one's."""

    def __init__(self, real: RunStarter, key: bytes) -> None:
        self._real = real
        self._key = key

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    async def decide(self, tenant: str, run: str, decision: Decision, *, timeout_s: float) -> DecisionResult | None:
        """Send it as another decision."""
        other = decision.model_copy(update={"decision_id": format_id("dec", os.urandom(16)), "attestation": ""})
        signed = other.model_copy(update={"attestation": attest(self._key, tenant=tenant, run=run, decision=other)})
        return await self._real.decide(tenant, run, signed, timeout_s=timeout_s)


async def _serve() -> None:
    async with gateway_parts() as parts:
        deps = gateway_deps(parts)
        if os.environ.get(WORKER_PLANT) == "decision-anew":
            deps = dataclasses.replace(deps, temporal=cast("RunStarter", SendsAnew(deps.temporal, deps.attestation_key)))
        else:
            deps = dataclasses.replace(deps, run_id_key=os.urandom(32))
        config = uvicorn.Config(create_app(deps), log_config=None, access_log=False, timeout_graceful_shutdown=3)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening_socket(parts.gateway.host, parts.gateway.port)]))
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()
        server.should_exit = True
        await serving


if __name__ == "__main__":
    set_up_logs(style="json", level="INFO")
    run_loop(_serve)
    leave(0)
