"""What the gateway answers about models: words that stand for them, and what they can do."""

from standfast_client.models import Received


class ModelFallback(Received):
    """A model that takes over, and when: on `overload`, `price` or `refusal`."""

    model: str
    on: list[str]


class ModelAlias(Received):
    """What a word stands for; `source` is `tenant` or `operator`."""

    alias: str
    model: str
    fallbacks: list[ModelFallback] = []
    source: str
    set_by: str | None = None
    set_at: str | None = None


class ModelCapabilities(Received):
    """What a model can do; None: not known."""

    model: str
    tools: bool
    parallel_tools: bool
    json_schema: bool
    temperature: bool
    images: bool
    files: bool
    context_tokens: int | None = None
    output_tokens: int | None = None
