-- Takes revision 0005 back. Keys of data subjects go with it: what they seal can then be opened by nobody.
DROP TRIGGER messages_kept ON messages;
DROP TRIGGER payloads_kept ON payloads;
DROP FUNCTION refuse_early_removal(), purgeable_at, run_is_held;
REVOKE DELETE ON payloads, messages FROM standfast_app;
DROP TABLE legal_holds, retention_rules, erasures, subject_keys;
DROP INDEX runs_with_residue, runs_purgeable, runs_by_subject;
ALTER TABLE runs DROP COLUMN residue_histories, DROP COLUMN residue_objects, DROP COLUMN residue, DROP COLUMN erasure, DROP COLUMN erased_at,
    DROP COLUMN subject_key, DROP COLUMN subject;
