"""Tools, blocking."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from standfast_client.drivers import Driver
from standfast_client.flows import tools
from standfast_client.models import JsonInput
from standfast_client.tools import ImportedTools, Tool, ToolAnomaly, ToolCall, ToolGrant


class Tools:
    """The registry of tools: what agents and definitions may call, who lets them, and who did."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def list(self, *, retired: bool = False) -> list[Tool]:
        """Read every version, by name, then newest first; with `retired` those out of use too."""
        return self._driver.run(tools.tools(self._driver.link, retired=retired))

    def get(self, name: str, version: str | None = None) -> Tool:
        """Read the highest version in an npm-style range, or of all, with what was said of it."""
        return self._driver.run(tools.tool(self._driver.link, name, version))

    def register(
        self, declared: Sequence[Mapping[str, JsonInput]] | Mapping[str, str], *, idempotency_key: str | None = None
    ) -> Sequence[Tool]:
        """Register tools by declaration, all or none; a version that is there with the same content stays as it is.

        Args:
            declared: Declarations, or files of them: path → YAML or JSON.
            idempotency_key: A random key when None.

        Raises:
            InvalidInputError: A declaration has mistakes; `errors` lists them.
            ConflictError: A version exists with other content.
        """
        return self._driver.run(tools.register(self._driver.link, declared, idempotency_key=idempotency_key))

    def import_openapi(
        self,
        document: str | Path,
        *,
        base_url: str | None = None,
        prefix: str | None = None,
        version: str | None = None,
        check_answers: bool = False,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> ImportedTools:
        """Make an http tool of each operation of an OpenAPI 3 document.

        Args:
            document: The document's text, or its file.
            base_url: Stands for the document's server.
            prefix: Stands before each name; else the document's title.
            version: Of the tools; else 1.0.0.
            check_answers: Whether answers must fit the document's schemas.
            dry_run: Store nothing.
            idempotency_key: A random key when None.

        Raises:
            InvalidInputError: No tool can be made of it.
            ConflictError: A version exists with other content.
        """
        options: dict[str, JsonInput] = {
            "base_url": base_url,
            "prefix": prefix,
            "version": version,
            "check_answers": check_answers,
            "dry_run": dry_run,
        }
        flow = tools.import_openapi(self._driver.link, document, options, idempotency_key=idempotency_key)
        return self._driver.run(flow)

    def quarantine(self, name: str, version: str, *, reason: str, idempotency_key: str | None = None) -> Tool:
        """Hold a version back until a person releases it."""
        place = (name, version)
        return self._driver.run(tools.say(self._driver.link, place, "quarantine", reason=reason, idempotency_key=idempotency_key))

    def release(self, name: str, version: str, *, reason: str, idempotency_key: str | None = None) -> Tool:
        """Let a version be called again."""
        place = (name, version)
        return self._driver.run(tools.say(self._driver.link, place, "release", reason=reason, idempotency_key=idempotency_key))

    def retire(self, name: str, version: str, *, reason: str, idempotency_key: str | None = None) -> Tool:
        """Take a version out of use; runs that have it go on."""
        place = (name, version)
        return self._driver.run(tools.say(self._driver.link, place, "retire", reason=reason, idempotency_key=idempotency_key))

    def grants(self) -> Sequence[ToolGrant]:
        """Read all grants, also those taken back."""
        return self._driver.run(tools.grants(self._driver.link))

    def grant(
        self,
        *patterns: str,
        agents: Sequence[str] = ("*",),
        roles: Sequence[str] = ("*",),
        reason: str = "",
        idempotency_key: str | None = None,
    ) -> ToolGrant:
        """Let agents, in runs of principals with certain roles, call tools; others may not call them any more.

        Args:
            patterns: Names of tools, `name.*`, or `*`.
            agents: Names, `name/*`, `steps` for steps of definitions, or `*`.
            roles: Platform or reviewer roles, or `*`.
            reason: Kept with it.
            idempotency_key: A random key when None.
        """
        body: dict[str, JsonInput] = {"tools": [*patterns], "agents": [*agents], "roles": [*roles], "reason": reason}
        return self._driver.run(tools.grant(self._driver.link, body, idempotency_key=idempotency_key))

    def revoke(self, grant: str, *, idempotency_key: str | None = None) -> ToolGrant:
        """Take a grant back; its tools stay closed."""
        return self._driver.run(tools.revoke(self._driver.link, grant, idempotency_key=idempotency_key))

    def calls(
        self,
        *,
        tool: str | None = None,
        run: str | None = None,
        agent: str | None = None,
        principal: str | None = None,
        verdict: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int = 50,
    ) -> Sequence[ToolCall]:
        """Read who called what, latest first.

        Args:
            tool: Of this tool.
            run: Of this run.
            agent: By this agent.
            principal: In runs of this principal.
            verdict: `allowed`, `failed`, `denied`, `quarantined`, `refused`, `simulated` or `in_doubt`.
            since: From this instant on, RFC 3339.
            until: Before this instant.
            limit: At most so many.
        """
        where = {"tool": tool, "run": run, "agent": agent, "principal": principal, "verdict": verdict, "since": since, "until": until}
        return self._driver.run(tools.calls(self._driver.link, where, limit=limit))

    def anomalies(self, *, tool: str | None = None, limit: int = 50) -> Sequence[ToolAnomaly]:
        """Read unusual calls, latest found first."""
        return self._driver.run(tools.anomalies(self._driver.link, tool=tool, limit=limit))
