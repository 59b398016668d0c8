"""Asks a Temporal server for its version and our namespace; apart from `temporal_ready`, which loads it late, since it loads the SDK."""

import asyncio
import re

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import GrpcCompression, RetryConfig, RPCError

_RPC_SECONDS_MAX = 5.0
_SYSTEM_WORDS = re.compile(r'message: "([^"]+)"')
"""The operating system's own words within the SDK's account of its layers, such as `Connection refused`."""


async def ask(address: str, namespace: str) -> tuple[str | None, str]:
    """Return the server's version, or None and the reason why it does not answer for the namespace yet."""
    try:
        async with asyncio.timeout(_RPC_SECONDS_MAX):
            client = await Client.connect(
                address, namespace=namespace, grpc_compression=GrpcCompression.NONE, retry_config=RetryConfig(max_retries=1)
            )
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
            system = await client.workflow_service.get_system_info(GetSystemInfoRequest())
    except (RPCError, RuntimeError, TimeoutError) as error:
        return None, _reason(error)
    return system.server_version, ""


def _reason(error: Exception) -> str:
    told = _SYSTEM_WORDS.search(str(error))
    return told[1] if told else str(error) or type(error).__name__
