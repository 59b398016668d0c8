"""What each model can do, so that a definition that asks for more is refused when it is registered. Pure.

The table goes by families of names, the first pattern that fits; an operator's own entries go before it. A model that no pattern names
is taken to do everything: what a server of one's own can do, only its operator knows.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from domain.model import Value


class Capabilities(Value):
    """What a model takes. `context_tokens` bounds what it reads and writes together, `output_tokens` what it writes; None: not known.

    `tools` are function calls, `parallel_tools` several in one turn; `json_schema` is an answer held to a schema by the vendor.
    """

    tools: bool = True
    parallel_tools: bool = True
    json_schema: bool = True
    temperature: bool = True
    images: bool = True
    files: bool = True
    context_tokens: int | None = None
    output_tokens: int | None = None


class Wanted(Value):
    """What an agent asks of its models; `None` for parallel calls leaves it to the model."""

    tools: bool = False
    parallel_tools: bool | None = None
    json_schema: bool = False
    temperature: bool = False
    images: bool = False
    files: bool = False
    output_tokens: int = 0


EVERYTHING: Final = Capabilities()
_CLAUDE_LONG = Capabilities(temperature=False, context_tokens=1_000_000, output_tokens=64_000)
_CLAUDE_SHORT = Capabilities(temperature=False, context_tokens=200_000, output_tokens=64_000)
_CLAUDE_OLD = Capabilities(temperature=False, json_schema=False, context_tokens=200_000, output_tokens=8_192)
_REASONING = Capabilities(temperature=False, context_tokens=400_000, output_tokens=128_000)
_REASONING_LONG = Capabilities(temperature=False, context_tokens=1_000_000, output_tokens=128_000)
_GEMINI = Capabilities(context_tokens=1_000_000, output_tokens=65_536)
_CHATTING = Capabilities(context_tokens=128_000, output_tokens=16_384)

_CLAUDES: Final = (
    ("*claude-2*", Capabilities(tools=False, parallel_tools=False, json_schema=False, temperature=False, images=False, files=False,
                                context_tokens=200_000, output_tokens=4_096)),
    ("*claude-3*", _CLAUDE_OLD),
    ("*claude-opus-4-[01]*", Capabilities(temperature=False, context_tokens=200_000, output_tokens=32_000)),
    ("*claude-*-4-[05]*", _CLAUDE_SHORT),
    ("*claude-*-4-20*", _CLAUDE_SHORT),
    ("*claude-*", _CLAUDE_LONG),
)  # fmt: skip
"""Models overview and "Structured outputs" of Anthropic's documentation; the SDK's `messages.create` takes no temperature."""

_GPTS: Final = (
    ("gpt-3.5*", Capabilities(json_schema=False, images=False, files=False, context_tokens=16_385, output_tokens=4_096)),
    ("gpt-4", Capabilities(json_schema=False, images=False, files=False, context_tokens=8_192, output_tokens=8_192)),
    ("gpt-4-turbo*", Capabilities(json_schema=False, files=False, context_tokens=128_000, output_tokens=4_096)),
    ("gpt-4o*", _CHATTING),
    ("gpt-4.1*", Capabilities(context_tokens=1_000_000, output_tokens=32_768)),
    ("o1-mini*", Capabilities(tools=False, parallel_tools=False, json_schema=False, temperature=False, images=False, files=False,
                              context_tokens=128_000, output_tokens=65_536)),
    ("o[1-9]*", Capabilities(temperature=False, parallel_tools=False, context_tokens=200_000, output_tokens=100_000)),
    ("gpt-5*-chat*", _CHATTING),
    ("gpt-5.[456]*", _REASONING_LONG),
    ("gpt-5*", _REASONING),
    ("gpt-[6-9]*", _REASONING_LONG),
    ("gpt-oss*", Capabilities(images=False, files=False, context_tokens=131_072)),
)  # fmt: skip
"""Model pages of OpenAI's documentation; reasoning models answer 400 to a temperature."""

_GEMINIS: Final = (
    ("gemma-*", Capabilities(tools=False, parallel_tools=False, json_schema=False, files=False, context_tokens=128_000)),
    ("gemini-1*", Capabilities(context_tokens=1_000_000, output_tokens=8_192)),
    ("gemini-*-live*", Capabilities(json_schema=False, context_tokens=131_072)),
    ("gemini-*", _GEMINI),
)
"""Model pages of the Gemini API's documentation."""

FAMILIES: Final[Sequence[tuple[str, Capabilities]]] = (
    *((f"anthropic/{name.removeprefix('*')}", known) for name, known in _CLAUDES),
    *((f"bedrock/{name}", known) for name, known in _CLAUDES),
    *((f"openai/{name}", known) for name, known in _GPTS),
    *((f"azure/{name}", known) for name, known in _GPTS),
    *((f"gemini/{name}", known) for name, known in _GEMINIS),
)
"""Patterns as in file names, and what fits them. A deployment of Azure is known by its name only where that is the model's."""


def capabilities_of(model: str, own: Mapping[str, Capabilities] | None = None) -> Capabilities:
    """Return what `provider/name` can do; `own` are the operator's entries by pattern, which go first."""
    listed = [*(own or {}).items(), *FAMILIES]
    return next((known for pattern, known in listed if fnmatchcase(model, pattern)), EVERYTHING)


def too_short(model: str, able: Capabilities, input_tokens: int, output_tokens: int) -> str | None:
    """Return the sentence that a model has no room for so much text and so long an answer; None when it has, or nobody knows."""
    if able.context_tokens is None or input_tokens + output_tokens <= able.context_tokens:
        return None
    return (
        f"`{model}` reads and writes at most {able.context_tokens} tokens together; this request has about {input_tokens},"
        f" and up to {output_tokens} are to be written"
    )


def lacks(model: str, able: Capabilities, wanted: Wanted) -> list[tuple[str, str]]:
    """Return what a model does not take of what is wanted, as (option, sentence); options are keys of an agent step."""
    found: list[tuple[str, str]] = []
    if wanted.tools and not able.tools:
        found.append(("tools", f"`{model}` calls no tools"))
    elif wanted.parallel_tools and not able.parallel_tools:
        found.append(("parallel_tools", f"`{model}` calls one tool a turn"))
    if wanted.json_schema and not able.json_schema:
        found.append(("output", f"`{model}` cannot be held to an output schema"))
    if wanted.temperature and not able.temperature:
        found.append(("temperature", f"`{model}` takes no temperature"))
    if wanted.images and not able.images:
        found.append(("attachments", f"`{model}` reads no images"))
    if wanted.files and not able.files:
        found.append(("attachments", f"`{model}` reads no files"))
    most = min(able.output_tokens or wanted.output_tokens, able.context_tokens or wanted.output_tokens)
    if wanted.output_tokens > most:
        found.append(("max_output_tokens", f"`{model}` writes at most {most} tokens"))
    return found
