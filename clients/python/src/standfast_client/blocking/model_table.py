"""Models, blocking."""

from collections.abc import Sequence

from standfast_client.drivers import Driver
from standfast_client.flows import model_table
from standfast_client.model_table import ModelAlias, ModelCapabilities
from standfast_client.models import JsonInput


class Models:
    """Words that stand for models, and what models can do."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def set(self, alias: str, model: str, *, fallbacks: Sequence[JsonInput] = (), idempotency_key: str | None = None) -> ModelAlias:
        """Set what a word stands for, from the next start of a run on; for admins.

        Args:
            alias: A word without a slash, such as `fast`; `default` is for agents that name no model.
            model: `provider/name`.
            fallbacks: Who takes over, in order: each {"model": …, "on": ["overload", "price", "refusal"]}.
            idempotency_key: A random key when None.

        Raises:
            InvalidInputError: The word, a model or a reason is none.
        """
        return self._driver.run(model_table.set_alias(self._driver.link, alias, model, fallbacks, idempotency_key=idempotency_key))

    def remove(self, alias: str, *, idempotency_key: str | None = None) -> None:
        """Take a word of the tenant away.

        Raises:
            NotFoundError: There is none.
        """
        self._driver.run(model_table.remove_alias(self._driver.link, alias, idempotency_key=idempotency_key))

    def capabilities(self, model: str) -> ModelCapabilities:
        """Read what a model can do, as definitions are checked against it."""
        return self._driver.run(model_table.capabilities(self._driver.link, model))

    def list(self) -> list[ModelAlias]:
        """Read the words that the tenant's definitions may use, by name."""
        return self._driver.run(model_table.aliases(self._driver.link))
