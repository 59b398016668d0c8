-- Takes revision 0001 back; every row goes with it. The roles stay: they belong to the server, not to this database.
DROP FUNCTION find_api_key(text), tenant_ids();
DROP FUNCTION journal_flush, journal_resolve, journal_outcome, journal_renew, journal_intent;
DROP FUNCTION close_task, open_task, close_approval, open_approval;
DROP FUNCTION outcome_choice, intent_choice, recorded_output;
DROP FUNCTION run_advance, journal_open, append_entry, chain_append, entry_hash;
DROP TABLE tasks, decisions, approvals, messages, payloads, ledger_entries, effects, idempotency_keys, runs, prompts,
    definition_versions, definitions, api_keys, principals, tenants;
DROP FUNCTION refuse_ledger_change();
REVOKE SELECT ON alembic_version FROM standfast_app;
