"""The operator's aliases and capabilities from settings; apart from `wiring/models.py`, so that the gateway loads no provider."""

from domain.errors import InvalidInput
from domain.model_table import ALIAS, ModelAlias, ModelTable
from wiring.settings_models import ModelSettings


def build_table(settings: ModelSettings) -> ModelTable:
    """Return what the operator says of models.

    Raises:
        InvalidInput: a word is no alias.
    """
    for word in settings.aliases:
        if not ALIAS.fullmatch(word):
            raise InvalidInput(f"STANDFAST_MODEL_ALIASES names {word!r}: an alias is a word of lower-case letters, digits and -")
    aliases = {word: ModelAlias(model=meant) if isinstance(meant, str) else meant for word, meant in settings.aliases.items()}
    return ModelTable(aliases=aliases, capabilities=settings.capabilities)
