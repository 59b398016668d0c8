"""Which model reviews the claims: a real one when a key or server is set, else the scripted one, which says so everywhere."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "claim-reviewer.yaml"
CARELESS = SCRIPT.with_name("careless-clerk.yaml")
"""The model of the injected letter: it is always scripted, since no real one may be made to obey."""
SCRIPTED = "scripted/claim-reviewer"

_DEFAULTS = {
    "ANTHROPIC_API_KEY": "anthropic/claude-sonnet-4-5",
    "OPENAI_API_KEY": "openai/gpt-5-mini",
    "STANDFAST_COMPATIBLE_BASE_URL": "compatible/default",
}
"""What each setting chooses unless STANDFAST_DEMO_MODEL names another model; the first one that is set counts."""


@dataclass(frozen=True)
class DemoModel:
    """The model of this demo, as `provider/name`, and what the worker must find in its environment for it."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def scripted(self) -> bool:
        """Whether no model is asked at all."""
        return self.name.startswith("scripted/")

    @property
    def shown(self) -> str:
        """The name for people."""
        return "scripted model" if self.scripted else self.name


def choose_model(settings: Mapping[str, str]) -> DemoModel:
    """Choose by the environment `settings`; a compatible server's model without a price counts as free."""
    found = next((name for setting, name in _DEFAULTS.items() if settings.get(setting)), SCRIPTED)
    name = settings.get("STANDFAST_DEMO_MODEL") or found
    scripts = {"careless-clerk": str(CARELESS)} | ({"claim-reviewer": str(SCRIPT)} if name == SCRIPTED else {})
    environment = {"STANDFAST_SCRIPTS": json.dumps(scripts)}
    if name.startswith("compatible/") and not settings.get("STANDFAST_PRICES"):
        environment["STANDFAST_PRICES"] = json.dumps({name: [0, 0]})
    return DemoModel(name, environment)
