-- Takes revision 0019 back. What was called stays in the ledgers.
DROP TRIGGER tool_calls_audited ON ledger_entries;
DROP FUNCTION audit_tool_call(), audited_call(ledger_entries, bigint), tool_verdict(text, text);
DROP TABLE tool_anomalies, tool_baselines, tool_watches, tool_calls, tool_grants, tool_changes, tools;
