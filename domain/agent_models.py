"""What an agent's model call says beyond its conversation: the chain, sampling, and where its files lie. Pure."""

from pydantic import JsonValue

from domain.attachments import INPUT, AttachmentPlace, place_of
from domain.program import AgentStep
from domain.state import State


def model_options(step: AgentStep) -> dict[str, JsonValue]:
    """Return how a step's models are asked; what it does not say is left out, so that older requests keep their digests."""
    said: dict[str, JsonValue] = {
        "fallbacks": [one.model_dump(mode="json") for one in step.fallbacks],
        "max_call_usd_micros": step.max_call_usd_micros,
        "temperature": step.temperature,
        "parallel_tools": step.parallel_tools,
    }
    return {name: value for name, value in said.items() if value not in (None, [])}


def attachment_places(state: State, step: AgentStep) -> list[tuple[str, AttachmentPlace]]:
    """Return where the files lie that an agent is shown, each with its source; a step that did not run has none."""
    found: list[tuple[str, AttachmentPlace]] = []
    for source in step.attachments:
        place = place_of(source)
        if place is None:
            continue
        ran, path = place
        ref = INPUT if ran is None else state.steps[ran].ref if ran in state.steps else None
        if ref is not None:
            found.append((source, AttachmentPlace(ref=ref, path=path)))
    return found
