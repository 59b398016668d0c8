"""What the built-in tools work on, from settings and stores."""

from adapters.outbound.clients import GuardedClients
from adapters.postgres.declared_databases import DeclaredDatabases
from adapters.tools.builtins.web_search import SearxngEngine
from adapters.tools.platform_ports import PlatformPorts
from domain.egress import EgressRules
from wiring.settings_outbound import OutboundSettings
from wiring.storage import Storage


def build_ports(storage: Storage, outbound: GuardedClients) -> PlatformPorts:
    """Return the ports of a process that calls tools.

    URLs that a model names reach public hosts in development too, and besides them only the networks that are declared.
    """
    given = OutboundSettings()
    return PlatformPorts(
        workspace=storage.workspace,
        memory=storage.memory,
        databases=DeclaredDatabases({name: url.get_secret_value() for name, url in given.query_databases.items()}),
        ledger=storage.ledger,
        runs=storage.child_runs,
        search=None if given.search_url is None else SearxngEngine(given.search_url, outbound),
        web=EgressRules(private=False, hosts=given.web_hosts, ports=given.web_ports),
    )
