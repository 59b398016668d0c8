"""Tools made from declarations that travel with a run; each declaration is checked and built once per process."""

from collections.abc import Callable

import httpx2
from pydantic import JsonValue, ValidationError

from adapters.tools.http_tool import HttpTool
from domain.canonical import digest_hex
from domain.egress import OutboundClients
from domain.errors import ToolFailed
from domain.http_tool import HttpToolDeclaration


class DeclaredHttpTools:
    """Implements `domain.tools.DeclaredTools` for `http` declarations.

    Args:
        resolve_secret: gives a secret by name; raises LookupError when it is not set.
        outbound: the way to their hosts.
    """

    def __init__(self, *, resolve_secret: Callable[[str], str], outbound: OutboundClients[httpx2.AsyncBaseTransport]) -> None:
        self._resolve_secret = resolve_secret
        self._outbound = outbound
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
            self._built[key] = HttpTool(checked, resolve_secret=self._resolve_secret, outbound=self._outbound)
        return self._built[key]

    async def aclose(self) -> None:
        """Close the tools' connections."""
        for tool in self._built.values():
            await tool.aclose()
