"""What a workflow knows of a call that policy needs: it travels with the call, since an activity sees no other step. Pure.

A call of before there were policies has none of it.
"""

from pydantic import Field, JsonValue

from domain.effects import EffectClass
from domain.labels import Label, TrustedValues, merged
from domain.model import Wire
from domain.policy import Origin, PolicyRequest


class CallInput(Wire):
    """What is known of one call: its definition, the registered agent that asks, and where its sensitive arguments come from."""

    definition: str
    origin: Origin = "call"
    kind: str = "builtin"
    sensitive: list[str] = []
    labels: dict[str, list[Label]] = {}
    taint: list[Label] = []
    registered: str | None = Field(default=None, exclude_if=lambda name: name is None)

    def request(
        self, *, tenant: str, run: str, step: str, principal: str, tool: str, version: str, effect_class: EffectClass
    ) -> PolicyRequest:
        """Return the request that policy decides, without its arguments."""
        return PolicyRequest(
            tenant=tenant,
            run=run,
            definition=self.definition,
            step=step,
            origin=self.origin,
            agent=f"{self.definition}/{step}" if self.origin == "agent" else None,
            registered=self.registered,
            principal=principal,
            tool=tool,
            version=version,
            kind=self.kind,
            effect_class=effect_class,
            sensitive=self.sensitive,
            labels=self.labels,
            taint=self.taint,
        )


class GuardedTool(Wire):
    """A tool of an agent as policy sees it; `sensitive` are the dotted arguments that choose a target."""

    version: str
    kind: str = "builtin"
    effect_class: EffectClass
    sensitive: list[str] = []


class AgentInput(Wire):
    """What is known of an agent's conversation when its model is asked: its tools, its taint, and trusted values it may have copied."""

    definition: str
    tools: dict[str, GuardedTool] = {}
    taint: list[Label] = []
    trusted: list[tuple[str, JsonValue]] = []
    registered: str | None = Field(default=None, exclude_if=lambda name: name is None)

    def call(self, name: str, arguments: dict[str, JsonValue]) -> CallInput | None:
        """Return what is known of a call that the model asks for, None of a tool that the agent does not have."""
        tool = self.tools.get(name)
        if tool is None:
            return None
        known = TrustedValues()
        for part, value in self.trusted:
            known.add_part(part, value)
        behind = merged(["model"], self.taint)
        copied: list[Label] = ["user"]
        labels = {each: copied if known.holds_all(arguments, each) else behind for each in tool.sensitive}
        return CallInput(
            definition=self.definition,
            origin="agent",
            kind=tool.kind,
            sensitive=tool.sensitive,
            labels=labels,
            taint=behind,
            registered=self.registered,
        )
