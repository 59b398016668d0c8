"""Tools made from declarations that travel with a run; each declaration is checked and built once per process."""

from collections.abc import Callable

from pydantic import JsonValue, ValidationError

from adapters.tools.http_tool import HttpTool
from domain.canonical import digest_hex
from domain.errors import ToolFailed
from domain.http_tool import HttpToolDeclaration


class DeclaredHttpTools:
    """Implements `domain.tools.DeclaredTools` for `http` declarations.

    Args:
        resolve_secret: gives a secret by name; raises LookupError when it is not set.
        allow_private: whether loopback and private addresses may be called (development profile only).
    """

    def __init__(self, *, resolve_secret: Callable[[str], str], allow_private: bool) -> None:
        self._resolve_secret = resolve_secret
        self._allow_private = allow_private
        self._built: dict[str, HttpTool] = {}

    def tool(self, declaration: dict[str, JsonValue]) -> HttpTool:
        """Return the tool of a declaration.

        Raises:
            ToolFailed: it is no http declaration of this version.
        """
        key = digest_hex("standfast:tool:v1", declaration)
        if key not in self._built:
            try:
                checked = HttpToolDeclaration.model_validate(declaration)
            except ValidationError as error:
                raise ToolFailed(
                    f"the declaration of {declaration.get('name')} is none of this version's: {error.errors()[0]['msg']}"
                ) from error
            self._built[key] = HttpTool(checked, resolve_secret=self._resolve_secret, allow_private=self._allow_private)
        return self._built[key]

    async def aclose(self) -> None:
        """Close the tools' connections."""
        for tool in self._built.values():
            await tool.aclose()
