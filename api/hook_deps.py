"""The ports of inbound webhooks, as the gateway holds them."""

from dataclasses import dataclass

from domain.hook_stores import HookRequestStore, HookStore


@dataclass(frozen=True, kw_only=True)
class HookDeps:
    """The hooks, and what they were sent."""

    hooks: HookStore
    requests: HookRequestStore
