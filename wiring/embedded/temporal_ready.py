"""Waits until a Temporal server answers for our namespace, and refuses one that is too old."""

import asyncio
import re
import time
from collections.abc import Callable

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import GrpcCompression, RetryConfig, RPCError

from wiring.embedded.temporal_arguments import NAMESPACE
from wiring.embedded.temporal_source import TEMPORAL_SERVER_VERSION, version_text

_POLL_SECONDS = 0.05
_RPC_SECONDS_MAX = 5.0


class TemporalNotReadyError(Exception):
    """The server did not answer in time, or the process that should be it has ended."""


class TemporalTooOldError(Exception):
    """The server at the address is older than the platform needs."""


async def wait_for_temporal(
    address: str, *, namespace: str = NAMESPACE, limit_seconds: float = 30.0, alive: Callable[[], bool] = lambda: True
) -> str:
    """Wait until the server knows the namespace, and return the server's version.

    Args:
        address: `host:port` of the frontend.
        namespace: The namespace that must exist.
        limit_seconds: How long to try.
        alive: Asked between tries; False ends the wait, since a dead server process never answers.

    Raises:
        TemporalNotReadyError: With the address, the time and the last answer.
        TemporalTooOldError: When the server is older than 1.32.
    """
    start = time.monotonic()
    while True:
        answer = await _describe(address, namespace)
        if isinstance(answer, _Known):
            return require_version(address, answer.version)
        if not alive():
            raise TemporalNotReadyError(f"the Temporal server for {address} ended while it started; its log says why")
        if time.monotonic() - start >= limit_seconds:
            raise TemporalNotReadyError(
                f"Temporal at {address} did not answer for namespace {namespace} within {limit_seconds:.0f} s: {answer}"
            )
        await asyncio.sleep(_POLL_SECONDS)


class _Known:
    def __init__(self, version: str) -> None:
        self.version = version


async def _describe(address: str, namespace: str) -> "_Known | str":
    """Return the server's version, or the reason it does not answer yet."""
    try:
        async with asyncio.timeout(_RPC_SECONDS_MAX):
            client = await Client.connect(
                address, namespace=namespace, grpc_compression=GrpcCompression.NONE, retry_config=RetryConfig(max_retries=1)
            )
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
            system = await client.workflow_service.get_system_info(GetSystemInfoRequest())
    except (RPCError, RuntimeError, TimeoutError) as error:
        return str(error) or type(error).__name__
    return _Known(system.server_version)


def require_version(address: str, version: str) -> str:
    """Return the version a server reports when it is new enough, or is not a number.

    Raises:
        TemporalTooOldError: When it is older than 1.32.
    """
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2]), int(found[3])) >= TEMPORAL_SERVER_VERSION:
        return version
    needed = version_text(TEMPORAL_SERVER_VERSION)
    raise TemporalTooOldError(
        f"the Temporal server at {address} is {version}; Standfast needs {needed} or newer "
        "(eager activities, fairness and time skipping). Upgrade it, or unset TEMPORAL_ADDRESS to use the embedded server."
    )
