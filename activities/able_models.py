"""Which models of a chain cannot take a request: what its files are, and how long it is, is known only when it is made."""

from collections.abc import Sequence

from domain.capabilities import Wanted, lacks, too_short
from domain.estimates import text_bytes
from domain.fallbacks import ModelChain
from domain.model_table import ModelTable
from domain.provider import CompletionRequest, Message

BYTES_PER_TOKEN = 4
"""What vendors' guides say of English text; other languages take more tokens, so that no model is passed over for them too early."""


def unable_models(chain: ModelChain, asked: CompletionRequest, table: ModelTable, *, known_tokens: int = 0) -> dict[str, str]:
    """Return by model why it cannot take the request: it does not read such files, or has too little room.

    How many tokens a request has is an estimate beyond the `known_tokens` that a provider counted. So where no model seems to have room,
    length counts for none of them, and the vendor of the one that is asked decides.
    """
    shown = [one for message in asked.messages for one in message.attachments]
    images = any(one.media_type.startswith("image/") for one in shown)
    files = any(not one.media_type.startswith("image/") for one in shown)
    wanted = Wanted(images=images, files=files)
    found: dict[str, str] = {}
    for model in chain.models:
        if lacking := lacks(model, table.able(model), wanted):
            found[model] = "; ".join(sentence for _, sentence in lacking)
    tokens = tokens_about(asked, known_tokens)
    others = [model for model in chain.models if model not in found]
    short = {model: told for model in others if (told := too_short(model, table.able(model), tokens, asked.max_output_tokens))}
    return found if len(short) == len(set(others)) else found | short


def tokens_about(asked: CompletionRequest, known_tokens: int = 0) -> int:
    """Return about how many tokens a request has: what was counted until the last answer, and a token for four bytes of the rest."""
    if known_tokens:
        answered = [place for place, message in enumerate(asked.messages) if message.role == "assistant"]
        return known_tokens + _bytes(asked.messages[max(answered, default=-1) + 1 :]) // BYTES_PER_TOKEN
    tools = sum(text_bytes(tool.model_dump(mode="json")) for tool in asked.tools)
    schema = 0 if asked.output_schema is None else text_bytes(asked.output_schema)
    return (text_bytes(asked.instructions) + tools + schema + _bytes(asked.messages)) // BYTES_PER_TOKEN


def _bytes(messages: Sequence[Message]) -> int:
    """The bytes of what messages say and show as text."""
    said = sum(text_bytes(message.text) for message in messages)
    called = sum(text_bytes(call.model_dump(mode="json")) for message in messages for call in message.tool_calls)
    texts = [one.content or b"" for message in messages for one in message.attachments if one.media_type.startswith("text/")]
    return said + called + sum(map(len, texts))
