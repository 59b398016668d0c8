"""Which roles may use which route. A route without a row is refused to everybody, and a test fails for it (DESIGN §10)."""

from domain.principals import Role

ANY_ROLE = frozenset(Role)
READERS = ANY_ROLE
STARTERS = frozenset({Role.OPERATOR, Role.DEVELOPER, Role.ADMIN})
OPERATORS = frozenset({Role.OPERATOR, Role.ADMIN})
DECIDERS = frozenset({Role.APPROVER, Role.ADMIN})
STEERERS = DECIDERS | STARTERS
"""Who may say something to an approval; which verdicts, `api/asked.py` tells."""
AUTHORS = frozenset({Role.DEVELOPER, Role.ADMIN})
KEEPERS = frozenset({Role.AUDITOR, Role.ADMIN})
AUDITORS = frozenset({Role.AUDITOR, Role.ADMIN})
ADMINS = frozenset({Role.ADMIN})

RUN = "/v1/runs/{run_id}"
WEBHOOK = "/v1/webhooks/{webhook_id}"

PERMISSIONS: dict[tuple[str, str], frozenset[Role]] = {
    ("POST", "/v1/runs"): STARTERS,
    ("GET", "/v1/runs"): READERS,
    ("GET", RUN): READERS,
    ("POST", f"{RUN}/cancel"): OPERATORS,
    ("POST", f"{RUN}/compensate"): OPERATORS,
    ("GET", f"{RUN}/sagas"): READERS,
    ("POST", f"{RUN}/redrive"): OPERATORS,
    ("POST", f"{RUN}/fork"): STARTERS,
    ("GET", f"{RUN}/compare/{{other_run_id}}"): READERS,
    ("POST", f"{RUN}/signals/approve"): DECIDERS,
    ("POST", f"{RUN}/signals/{{name}}"): STARTERS,
    ("GET", f"{RUN}/result"): READERS,
    ("GET", f"{RUN}/trace"): READERS,
    ("GET", f"{RUN}/ledger"): READERS,
    ("GET", f"{RUN}/ledger/verify"): READERS,
    ("GET", f"{RUN}/ledger/proof"): READERS,
    ("GET", f"{RUN}/ledger/bundle"): READERS,
    ("GET", "/v1/ledger/heads"): READERS,
    ("GET", "/v1/ledger/heads/{tree_size}"): READERS,
    ("GET", "/v1/ledger/consistency"): READERS,
    ("GET", "/v1/ledger/keys"): READERS,
    ("POST", "/v1/ledger/keys/rotate"): ADMINS,
    ("GET", "/v1/ledger/bundle"): AUDITORS,
    ("GET", "/v1/approvals"): READERS,
    ("GET", "/v1/approvals/{approval_id}"): READERS,
    ("POST", "/v1/approvals/{approval_id}/decision"): STEERERS,
    ("POST", "/v1/approvals/decisions"): STEERERS,
    ("POST", "/v1/approvals/{approval_id}/assign"): DECIDERS,
    ("GET", "/v1/calendars"): READERS,
    ("GET", "/v1/calendars/{name}"): READERS,
    ("PUT", "/v1/calendars/{name}"): ADMINS,
    ("DELETE", "/v1/calendars/{name}"): ADMINS,
    ("GET", "/v1/calendars/{name}/instants"): READERS,
    ("GET", "/v1/substitutes"): READERS,
    ("POST", "/v1/substitutes"): DECIDERS,
    ("GET", "/v1/substitutes/{substitution_id}"): READERS,
    ("POST", "/v1/substitutes/{substitution_id}/end"): DECIDERS,
    ("GET", "/v1/tasks"): READERS,
    ("GET", "/v1/tasks/{task_id}"): READERS,
    ("POST", "/v1/tasks"): STARTERS | DECIDERS,
    ("POST", "/v1/tasks/{task_id}/assign"): OPERATORS | DECIDERS,
    ("POST", "/v1/tasks/{task_id}/escalate"): OPERATORS | DECIDERS,
    ("POST", "/v1/tasks/{task_id}/complete"): OPERATORS | DECIDERS,
    ("GET", "/v1/dead-letters"): READERS,
    ("POST", "/v1/dead-letters/redrive"): OPERATORS,
    ("GET", "/v1/dead-letters/redrives/{redrive_id}"): READERS,
    ("GET", "/v1/dead-letters/{dead_letter_id}"): READERS,
    ("POST", "/v1/dead-letters/{dead_letter_id}/redrive"): OPERATORS,
    ("POST", "/v1/dead-letters/{dead_letter_id}/discard"): OPERATORS,
    ("POST", "/v1/webhooks"): AUTHORS,
    ("GET", "/v1/webhooks"): STARTERS,
    ("GET", WEBHOOK): STARTERS,
    ("PUT", WEBHOOK): AUTHORS,
    ("DELETE", WEBHOOK): AUTHORS,
    ("POST", f"{WEBHOOK}/rotate"): AUTHORS,
    ("POST", f"{WEBHOOK}/test"): STARTERS,
    ("POST", f"{WEBHOOK}/replay"): STARTERS,
    ("GET", f"{WEBHOOK}/deliveries"): STARTERS,
    ("GET", f"{WEBHOOK}/deliveries/{{delivery_id}}"): STARTERS,
    ("POST", f"{WEBHOOK}/deliveries/{{delivery_id}}/redeliver"): STARTERS,
    ("POST", "/v1/hooks"): AUTHORS,
    ("GET", "/v1/hooks"): READERS,
    ("GET", "/v1/hooks/{hook_id}"): READERS,
    ("PUT", "/v1/hooks/{hook_id}"): AUTHORS,
    ("DELETE", "/v1/hooks/{hook_id}"): AUTHORS,
    ("POST", "/v1/hooks/{hook_id}/secrets"): AUTHORS,
    ("GET", "/v1/hooks/{hook_id}/requests"): READERS,
    ("POST", "/v1/definitions"): AUTHORS,
    ("GET", "/v1/definitions"): READERS,
    ("GET", "/v1/definitions/{name}"): READERS,
    ("POST", "/v1/erasures"): ADMINS,
    ("GET", "/v1/erasures"): KEEPERS,
    ("GET", "/v1/erasures/{erasure_id}"): KEEPERS,
    ("GET", "/v1/retention"): KEEPERS,
    ("POST", "/v1/retention"): ADMINS,
    ("POST", "/v1/retention/purge"): ADMINS,
    ("POST", "/v1/retention/holds"): ADMINS,
    ("POST", "/v1/retention/holds/{hold_id}/release"): ADMINS,
    ("GET", "/v1/budgets"): READERS,
    ("GET", "/v1/budgets/events"): READERS,
    ("GET", "/v1/budgets/{scope}/{name}"): READERS,
    ("PUT", "/v1/budgets/{scope}/{name}"): ADMINS,
    ("DELETE", "/v1/budgets/{scope}/{name}"): ADMINS,
    ("GET", "/v1/costs"): READERS,
    ("GET", "/v1/costs/invoice"): READERS,
    ("POST", "/v1/costs/estimate"): READERS,
    ("GET", "/v1/prices"): READERS,
    ("POST", "/v1/channels"): ADMINS,
    ("GET", "/v1/channels"): READERS,
    ("POST", "/v1/channels/links/rotate"): ADMINS,
    ("GET", "/v1/channels/{channel_id}"): READERS,
    ("PUT", "/v1/channels/{channel_id}"): ADMINS,
    ("DELETE", "/v1/channels/{channel_id}"): ADMINS,
    ("POST", "/v1/channels/{channel_id}/test"): ADMINS,
    ("GET", "/v1/channels/{channel_id}/deliveries"): OPERATORS,
    ("GET", "/v1/contacts"): DECIDERS,
    ("PUT", "/v1/contacts/{principal_id}/{kind}"): DECIDERS,
    ("DELETE", "/v1/contacts/{principal_id}/{kind}"): DECIDERS,
    ("GET", "/v1/principal"): ANY_ROLE,
    ("GET", "/v1/tools"): READERS,
}

OPEN_ROUTES = frozenset(
    {
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/docs/{asset}"),
        ("POST", "/codec/encode"),
        ("POST", "/codec/decode"),
        ("OPTIONS", "/codec/encode"),
        ("OPTIONS", "/codec/decode"),
        ("POST", "/hooks/{source}"),
        ("GET", "/a/{token}"),
        ("POST", "/a/{token}"),
    }
)
"""No key is asked here: the route tells nothing of any tenant, or asks by itself: codec for a key, pages of links for a signed token."""
