"""Checks what a body gives against what a definition declares, and says where in the body it does not fit."""

from pydantic import JsonValue

from api.problems import Mistake, Mistaken
from domain.errors import InvalidInput
from domain.registry import DefinitionDraft
from domain.schemas import validate


def check_fit(place: str, definition: DefinitionDraft, schema: dict[str, JsonValue], value: JsonValue) -> None:
    """Refuse the member of a body at this pointer if its value does not fit what the definition declares.

    Raises:
        Mistaken: it does not; every mistake has its place in the body.
    """
    mistakes = validate(schema, value)
    if mistakes:
        found = [
            Mistake(where=place + where.removeprefix("(top level)"), detail=detail)
            for where, _, detail in (mistake.partition(": ") for mistake in mistakes)
        ]
        named = f"the {place.rpartition('/')[2]} does not fit the schema of {definition.name} {definition.version}"
        raise Mistaken(InvalidInput(f"{named}: {'; '.join(mistakes)}"), found)
