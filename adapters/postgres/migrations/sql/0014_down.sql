-- Takes revision 0014 back: that a run was to be undone stays in its ledger, and its page does not show it any more.
DROP INDEX ledger_entries_requests;
CREATE INDEX ledger_entries_requests ON ledger_entries (tenant_id, run, seq)
    WHERE kind IN ('gateway:run:cancel_requested', 'gateway:run:redriven');
