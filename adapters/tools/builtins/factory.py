"""The factory behind the entry point `builtins`."""

from collections.abc import Iterable

from adapters.tools.builtins.calc import Calc
from adapters.tools.builtins.files import FileList, FileRead, FileWrite
from adapters.tools.builtins.http_request import HttpRequest
from adapters.tools.builtins.human_ask import HumanAsk
from adapters.tools.builtins.json_query import JsonQuery
from adapters.tools.builtins.ledger_search import LedgerSearch
from adapters.tools.builtins.remembering import MemorySave, MemorySearch
from adapters.tools.builtins.run_start import RunStart
from adapters.tools.builtins.shell_run import DEFAULT_PROFILE, ShellRun
from adapters.tools.builtins.sql_query import SqlQuery
from adapters.tools.builtins.time_now import TimeNow
from adapters.tools.builtins.web_fetch import WebFetch
from adapters.tools.builtins.web_search import WebSearch
from adapters.tools.registry import ToolContext
from domain.tools import Tool


def build(context: ToolContext) -> Iterable[Tool]:
    """Return the built-in tools but `python.run`, which has an entry point of its own."""
    ports = context.ports
    tools: list[Tool] = [
        Calc(),
        TimeNow(),
        JsonQuery(),
        FileRead(ports.workspace),
        FileWrite(ports.workspace),
        FileList(ports.workspace),
        SqlQuery(ports.databases),
        MemorySave(ports.memory),
        MemorySearch(ports.memory),
        LedgerSearch(ports.ledger),
        RunStart(ports.runs),
        HumanAsk(),
        WebSearch(ports.search),
    ]
    if DEFAULT_PROFILE in context.profiles:
        tools.append(ShellRun(context.sandbox, context.profiles[DEFAULT_PROFILE]))
    if context.outbound is not None:
        tools += [HttpRequest(context.outbound, rules=ports.web), WebFetch(context.outbound, rules=ports.web)]
    return tools
