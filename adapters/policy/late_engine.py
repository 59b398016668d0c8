"""The one place that imports the Cedar engine, at its first use: the library takes a quarter of a second to load."""

from functools import cached_property

from domain.policy import PolicyEngine, PolicyRequest, Rulings


class LateEngine:
    """A `PolicyEngine` that loads its library when it is first asked; `load` does so beforehand."""

    @cached_property
    def _engine(self) -> PolicyEngine:
        from adapters.policy.cedar import CedarEngine  # noqa: PLC0415 - late on purpose, see the module

        return CedarEngine()

    def load(self) -> None:
        """Load the library now, so that the first decision does not wait for it."""
        self._engine.check("")

    def check(self, policies: str) -> list[str]:
        """Return what is wrong with a set's text."""
        return self._engine.check(policies)

    def rule(self, policies: str, request: PolicyRequest) -> Rulings:
        """Return what the policies say of a request, as `PolicyEngine.rule` promises."""
        return self._engine.rule(policies, request)

    def recall(self, policies: str, request: PolicyRequest) -> Rulings | None:
        """Return what the policies said of the same question before; nothing was asked of a library that is not loaded."""
        return self._engine.recall(policies, request) if "_engine" in vars(self) else None
