-- What people asked of a run: that it be undone now is one more of these.
DROP INDEX ledger_entries_requests;
CREATE INDEX ledger_entries_requests ON ledger_entries (tenant_id, run, seq)
    WHERE kind IN ('gateway:run:cancel_requested', 'gateway:run:redriven', 'gateway:run:compensate_requested');
