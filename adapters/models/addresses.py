"""The vendors' own addresses and ways in; given to the SDKs explicitly, which else read them from the environment."""

from dataclasses import dataclass, field

ANTHROPIC_BASE_URL = "https://api.anthropic.com"
OPENAI_BASE_URL = "https://api.openai.com/v1"
GEMINI_BASE_URL = "https://generativelanguage.googleapis.com"


@dataclass(frozen=True, kw_only=True)
class AwsAccess:
    """How to reach Bedrock: the region, and a Bedrock API key, an access key, or neither for what AWS finds on the machine itself."""

    region: str
    api_key: str | None = field(default=None, repr=False)
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    base_url: str | None = None

    @property
    def address(self) -> str:
        """Where requests go."""
        return self.base_url or f"https://bedrock-runtime.{self.region}.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class AzureAccess:
    """A resource of Azure OpenAI: its address, such as `https://NAME.openai.azure.com`, a key, and the version of its API."""

    endpoint: str
    api_key: str = field(repr=False)
    api_version: str = "v1"

    @property
    def address(self) -> str:
        """Where its API begins that speaks as OpenAI's does."""
        return f"{self.endpoint.rstrip('/')}/openai/v1"


@dataclass(frozen=True)
class CompatibleServer:
    """A server that speaks OpenAI's chat completions. `base_url` ends where `/chat/completions` begins."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class KeyAccess:
    """An API with a key at an address."""

    base_url: str
    api_key: str = field(repr=False)
