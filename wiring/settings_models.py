"""The settings of models: providers with their keys and addresses, aliases, capabilities and prices."""

from datetime import date
from pathlib import Path

from pydantic import Field, SecretStr

from domain.capabilities import Capabilities
from domain.model_table import ModelAlias
from wiring.settings_ground import Group

PriceEntry = tuple[int, int] | tuple[int, int, date]
"""Micro-USD per million tokens in and out, and the day from which they hold (UTC)."""


class ModelSettings(Group):
    """Providers of models."""

    anthropic_api_key: SecretStr | None = Field(default=None, validation_alias="ANTHROPIC_API_KEY", description="key of the Anthropic API")
    anthropic_base_url: str = Field(
        default="https://api.anthropic.com", validation_alias="ANTHROPIC_BASE_URL", description="another address of the Anthropic API"
    )
    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY", description="key of the OpenAI API")
    openai_base_url: str = Field(
        default="https://api.openai.com/v1", validation_alias="OPENAI_BASE_URL", description="another address of the OpenAI API"
    )
    compatible_base_url: str | None = Field(
        default=None,
        validation_alias="STANDFAST_COMPATIBLE_BASE_URL",
        description="address of an OpenAI-compatible server (models compatible/NAME)",
    )
    compatible_api_key: SecretStr | None = Field(
        default=None, validation_alias="STANDFAST_COMPATIBLE_API_KEY", description="its key, if it wants one"
    )
    compatible_servers: dict[str, tuple[str, SecretStr | None]] = Field(
        default={},
        validation_alias="STANDFAST_COMPATIBLE_SERVERS",
        description="JSON: name of another such server to its address and its key or null (models NAME/MODEL)",
    )
    azure_endpoint: str | None = Field(
        default=None,
        validation_alias="AZURE_OPENAI_ENDPOINT",
        description="address of a resource of Azure OpenAI (models azure/DEPLOYMENT)",
    )
    azure_api_key: SecretStr | None = Field(default=None, validation_alias="AZURE_OPENAI_API_KEY", description="its key")
    azure_api_version: str = Field(
        default="v1", validation_alias="STANDFAST_AZURE_API_VERSION", description="version of its API: v1 or preview"
    )
    aws_region: str | None = Field(
        default=None, validation_alias="AWS_REGION", description="region of Amazon Bedrock (models bedrock/MODEL-ID)"
    )
    bedrock_api_key: SecretStr | None = Field(
        default=None, validation_alias="AWS_BEARER_TOKEN_BEDROCK", description="Bedrock API key; it goes before AWS credentials"
    )
    aws_access_key_id: str | None = Field(
        default=None, validation_alias="AWS_ACCESS_KEY_ID", description="AWS credentials for Bedrock; without them, what AWS finds itself"
    )
    aws_secret_access_key: SecretStr | None = Field(
        default=None, validation_alias="AWS_SECRET_ACCESS_KEY", description="the access key's secret"
    )
    aws_session_token: SecretStr | None = Field(
        default=None, validation_alias="AWS_SESSION_TOKEN", description="session token of temporary AWS credentials"
    )
    bedrock_base_url: str | None = Field(
        default=None, validation_alias="STANDFAST_BEDROCK_BASE_URL", description="another address of Bedrock, such as a VPC endpoint"
    )
    gemini_api_key: SecretStr | None = Field(
        default=None, validation_alias="GEMINI_API_KEY", description="key of the Gemini API (models gemini/NAME)"
    )
    gemini_base_url: str = Field(
        default="https://generativelanguage.googleapis.com",
        validation_alias="GEMINI_BASE_URL",
        description="another address of the Gemini API",
    )
    aliases: dict[str, str | ModelAlias] = Field(
        default={},
        validation_alias="STANDFAST_MODEL_ALIASES",
        description="JSON: word to the model it stands for, or to {model, fallbacks}; `default` is for agents that name none",
    )
    capabilities: dict[str, Capabilities] = Field(
        default={},
        validation_alias="STANDFAST_MODEL_CAPABILITIES",
        description="JSON: pattern of models, such as compatible/llama-*, to what they can do (docs/models.md)",
    )
    scripts: dict[str, Path] = Field(
        default={}, validation_alias="STANDFAST_SCRIPTS", description="JSON: name of a scripted model to its file"
    )
    prices: dict[str, PriceEntry | list[PriceEntry]] = Field(
        default={},
        validation_alias="STANDFAST_PRICES",
        description="JSON: model to micro-USD per million input and output tokens, or to a list of such, each with the day it begins",
    )
