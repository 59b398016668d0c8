-- Takes revision 0008 back.
DROP TRIGGER decisions_faceted ON decisions;
DROP TRIGGER approvals_faceted ON approvals;
DROP FUNCTION open_approval(text, text, json, bytea);
ALTER FUNCTION open_approval_row(text, text, json, bytea) RENAME TO open_approval;
DROP FUNCTION add_decider_facet(), keep_approval_facets(), add_approval_facets(approvals);
DROP TABLE approval_facets;
DROP INDEX approvals_decided, approvals_by_opening, approvals_by_due;
ALTER TABLE approvals DROP COLUMN assigned_at, DROP COLUMN assigned_by, DROP COLUMN assignee, DROP COLUMN due;
CREATE INDEX approvals_by_deadline ON approvals (tenant_id, state, deadline, approval);
DROP TABLE substitutes, calendars;
