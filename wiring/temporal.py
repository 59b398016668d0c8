"""The Temporal connection: one client per process, with the payload codec on."""

from dataclasses import dataclass

from temporalio.client import Client
from temporalio.service import GrpcCompression, RPCError

from adapters.codec.cipher import TenantCipher
from adapters.codec.temporal_codec import TemporalCodec, build_data_converter
from adapters.codec.tenants import TenantRegistry
from domain.errors import Unavailable


@dataclass(frozen=True)
class TemporalLink:
    """A client, its codec, and the registry that tells the codec which tenant a workflow belongs to."""

    client: Client
    codec: TemporalCodec
    tenants: TenantRegistry


async def connect(address: str, *, namespace: str, cipher: TenantCipher) -> TemporalLink:
    """Connect with the codec on.

    Raises:
        Unavailable: no Temporal server answers there.
    """
    tenants = TenantRegistry()
    codec = TemporalCodec(cipher, tenants)
    loopback = address.startswith(("127.", "localhost", "[::1]"))
    compression = GrpcCompression.NONE if loopback else GrpcCompression.GZIP
    try:
        client = await Client.connect(
            address, namespace=namespace, data_converter=build_data_converter(codec), grpc_compression=compression
        )
    except (RPCError, RuntimeError) as error:
        raise Unavailable(
            f"no Temporal server answers at {address}: check TEMPORAL_ADDRESS or start one with `standfast dev` ({error})"
        ) from error
    return TemporalLink(client, codec, tenants)
