"""What built-in tools may work on besides hosts and sandboxes; a process that calls no tools leaves them out."""

from dataclasses import dataclass

from domain.child_runs import ChildRuns
from domain.databases import QueryDatabases
from domain.egress import EgressRules
from domain.memory import Memory
from domain.search import SearchEngine
from domain.stores import LedgerReader
from domain.workspace import Workspace

WEB_RULES = EgressRules(private=False, ports=(80, 443, 8080, 8443))
"""For URLs that a model names: public hosts and the web's ports, in development too."""


@dataclass(frozen=True, kw_only=True)
class PlatformPorts:
    """The ports; `web` are the rules of `http.request` and `web.fetch`."""

    workspace: Workspace | None = None
    memory: Memory | None = None
    databases: QueryDatabases | None = None
    ledger: LedgerReader | None = None
    runs: ChildRuns | None = None
    search: SearchEngine | None = None
    web: EgressRules = WEB_RULES
