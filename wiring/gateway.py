"""What the gateway process stands on: PostgreSQL, Temporal, the tools' declarations, keys. `api/main.py` makes the app of it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from pydantic import JsonValue

from adapters.calendars.zones import PinnedZones
from adapters.codec.cipher import TenantCipher
from adapters.codec.codec_server import decode_body, encode_body
from adapters.codec.temporal_codec import TemporalCodec
from adapters.definitions.agent_reader import YamlAgentReader
from adapters.definitions.documents import read_document
from adapters.definitions.yaml_reader import YamlBundleReader
from adapters.postgres.pool import Database
from adapters.postgres.schema_version import check_schema_version
from adapters.postgres.sealer import PostgresSealer
from adapters.postgres.watching import PostgresWatching
from domain.agents import StatusRules
from domain.calendars import Zones
from domain.compile import compile_program
from domain.model_table import ModelTable
from domain.provider import PriceBook
from domain.registry import AgentReader, BundleReader, ProgramCompiler
from domain.sandbox_tool import SandboxGate
from domain.sealing import SealStore
from domain.tools import ToolSpec
from wiring.agents import status_rules
from wiring.channel_plugins import channel_kinds
from wiring.keys import InstallationKeys
from wiring.logs import redact_logs
from wiring.mcp import McpParts, build_mcp
from wiring.model_table import build_table
from wiring.objects import build_objects, payload_limits
from wiring.prices import build_prices
from wiring.secrets import build_secrets
from wiring.settings import (
    BudgetSettings,
    DatabaseSettings,
    GatewaySettings,
    ModelSettings,
    PayloadSettings,
    PlatformSettings,
    SecretSettings,
    TemporalSettings,
    required_database_url,
    required_temporal_address,
)
from wiring.storage import Storage, build_storage
from wiring.temporal import TemporalLink, connect
from wiring.tools import build_toolbox


class Codec:
    """Opens and seals Temporal payloads for the Web UI."""

    def __init__(self, codec: TemporalCodec) -> None:
        self._codec = codec

    async def decode(self, body: bytes, may_read: Callable[[str], bool]) -> bytes:
        """Open what `may_read(tenant)` allows. Raises: BadRequest, Forbidden, ReferenceMissing."""
        return await decode_body(self._codec, body, may_read)

    async def encode(self, body: bytes, *, tenant: str, workflow_id: str) -> bytes:
        """Seal for one workflow. Raises: BadRequest."""
        return encode_body(self._codec, body, tenant=tenant, workflow_id=workflow_id)


@dataclass(frozen=True, kw_only=True)
class GatewayParts:
    """The parts, open."""

    platform: PlatformSettings
    gateway: GatewaySettings
    temporal_settings: TemporalSettings
    storage: Storage
    watching: PostgresWatching
    sealer: SealStore
    link: TemporalLink
    keys: InstallationKeys
    codec: Codec
    bundle_reader: BundleReader
    agent_reader: AgentReader
    statuses: StatusRules
    compile_program: ProgramCompiler
    tool_specs: Callable[[], list[ToolSpec]]
    sandbox_gate: SandboxGate | None
    read_document: Callable[[str], JsonValue]
    channel_kinds: tuple[str, ...]
    prices: PriceBook
    models: ModelTable
    mcp: McpParts
    secret_sources: tuple[str, ...]
    zones: Zones


@asynccontextmanager
async def gateway_parts() -> AsyncGenerator[GatewayParts]:
    """Open everything the settings name.

    Raises:
        InvalidInput: a setting is missing. Unavailable: PostgreSQL or Temporal does not answer, or the schema is not this version's.
    """
    platform, gateway, temporal, database_settings = PlatformSettings(), GatewaySettings(), TemporalSettings(), DatabaseSettings()
    keys, payloads = InstallationKeys(platform.key_path), PayloadSettings()
    cipher = TenantCipher(keys.master)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(required_database_url(database_settings), max_size=database_settings.pool_max))
        await check_schema_version(database)
        link = await connect(required_temporal_address(temporal), namespace=temporal.namespace, cipher=cipher)
        storage = build_storage(database, cipher, objects=build_objects(platform, payloads), limits=payload_limits(payloads))
        budgets = BudgetSettings()
        await storage.budgets.set_platform_limits(budgets.limits, budgets.period)
        toolbox = build_toolbox(environment=platform.environment)
        stack.push_async_callback(toolbox.aclose)
        models, tool_secrets = ModelSettings(), SecretSettings()
        secrets = build_secrets(storage.secret_references, platform, tool_secrets)
        stack.push_async_callback(secrets.aclose)
        redact_logs(secrets.known)
        yield GatewayParts(
            platform=platform,
            gateway=gateway,
            temporal_settings=temporal,
            storage=storage,
            watching=PostgresWatching(database),
            sealer=PostgresSealer(database, keys.heads),
            link=link,
            keys=keys,
            codec=Codec(link.codec),
            bundle_reader=YamlBundleReader(),
            agent_reader=YamlAgentReader(),
            statuses=status_rules(platform.environment),
            compile_program=compile_program,
            tool_specs=toolbox.registry.specs,
            sandbox_gate=toolbox.gate,
            read_document=read_document,
            channel_kinds=channel_kinds(),
            prices=build_prices(models),
            models=build_table(models),
            mcp=build_mcp(storage, secrets=secrets, environment=platform.environment),
            secret_sources=tool_secrets.sources,
            zones=PinnedZones(),
        )
