"""The SQL of removals: which runs, what they hold, and how each table lets go of it. `%(runs)s` is an array of run ids."""

OF_SUBJECT = b"""
SELECT r.run, r.closed_at, r.epoch, r.correlation_id, r.definition, coalesce(r.subject, r.run) AS subject, r.subject_key
FROM runs r WHERE r.tenant_id = %(tenant)s AND (r.subject = %(subject)s OR (r.subject IS NULL AND r.run = %(subject)s))
    AND r.erased_at IS NULL
ORDER BY r.run
"""

OWNER_OF_RUN = b"SELECT coalesce(subject, run) AS subject, erased_at, erasure FROM runs WHERE tenant_id = %(tenant)s AND run = %(run)s"

PAST_TERM = b"""
SELECT r.run, r.closed_at, r.epoch, r.correlation_id, r.definition, coalesce(r.subject, r.run) AS subject, r.subject_key
FROM runs r
WHERE r.tenant_id = %(tenant)s AND r.closed_at IS NOT NULL AND r.erased_at IS NULL
    AND (%(run)s::text IS NULL OR r.run = %(run)s)
    AND purgeable_at(r.tenant_id, r.definition, r.closed_at) <= clock_timestamp()
    AND NOT run_is_held(r.tenant_id, r.run, coalesce(r.subject, r.run), r.definition)
    AND open_dead_letter(r.tenant_id, r.run) IS NULL
ORDER BY r.closed_at, r.run LIMIT %(limit)s
"""

WHY_NOT_PURGED = b"""
SELECT r.closed_at, r.erased_at, purgeable_at(r.tenant_id, r.definition, r.closed_at) AS purgeable_at,
    run_is_held(r.tenant_id, r.run, coalesce(r.subject, r.run), r.definition) AS held,
    open_dead_letter(r.tenant_id, r.run) AS dead_letter
FROM runs r WHERE r.tenant_id = %(tenant)s AND r.run = %(run)s
"""

LOCK_ROWS = b" FOR NO KEY UPDATE OF r"
LOCK_FREE_ROWS = b" FOR NO KEY UPDATE OF r SKIP LOCKED"

LOCK_KEYS = b"SELECT key_id FROM subject_keys WHERE tenant_id = %(tenant)s AND subject = %(subject)s AND destroyed_at IS NULL FOR UPDATE"

LOCK_SOME_KEYS = b"SELECT key_id FROM subject_keys WHERE tenant_id = %(tenant)s AND key_id = ANY(%(keys)s) ORDER BY key_id FOR UPDATE"
"""A statement of its own: the one that destroys keys must see every run that was accepted under them before."""

HOLDS = b"""
SELECT DISTINCT h.hold FROM legal_holds h JOIN runs r ON r.tenant_id = h.tenant_id AND r.run = ANY(%(runs)s)
WHERE h.tenant_id = %(tenant)s AND h.released_at IS NULL AND (h.scope = 'tenant' OR (h.scope = 'run' AND h.name = r.run)
    OR (h.scope = 'subject' AND h.name = coalesce(r.subject, r.run)) OR (h.scope = 'definition' AND h.name = r.definition))
ORDER BY h.hold
"""

COUNT = b"""
SELECT (SELECT count(*) FROM payloads WHERE tenant_id = %(tenant)s AND run = ANY(%(runs)s)) AS payloads,
    (SELECT count(*) FROM messages WHERE tenant_id = %(tenant)s AND run = ANY(%(runs)s)) AS messages,
    (SELECT count(*) FROM approvals WHERE tenant_id = %(tenant)s AND run = ANY(%(runs)s)) AS approvals,
    (SELECT count(*) FROM tasks WHERE tenant_id = %(tenant)s AND run = ANY(%(runs)s)) AS tasks
"""

DELETE_PAYLOADS = b"DELETE FROM payloads WHERE tenant_id = %(tenant)s AND run = ANY(%(runs)s)"
DELETE_MESSAGES = b"DELETE FROM messages WHERE tenant_id = %(tenant)s AND run = ANY(%(runs)s)"

EMPTY_APPROVALS = b"""
UPDATE approvals SET sealed = '', comment_sealed = NULL WHERE tenant_id = %(tenant)s AND run = ANY(%(runs)s)
"""
EMPTY_TASKS = b"""
UPDATE tasks SET sealed = '', output_ref = NULL, answer_sealed = NULL, delivered = true
WHERE tenant_id = %(tenant)s AND run = ANY(%(runs)s)
"""
EMPTY_DECISIONS = (
    b"UPDATE decisions SET comment_sealed = '', content_sealed = NULL, refusal = NULL WHERE tenant_id = %(tenant)s AND run = ANY(%(runs)s)"
)

EMPTY_DEAD_LETTERS = b"""
UPDATE dead_letters SET error = json_build_object('code', cause, 'detail', '(erased)'), payload_ref = NULL, reason_sealed = NULL
WHERE tenant_id = %(tenant)s AND run = ANY(%(runs)s)
"""

EMPTY_EFFECTS = b"""
UPDATE effects SET digest = '', diverged_digest = NULL, output_digest = NULL, request_ref = NULL, output_ref = NULL,
    error = CASE WHEN error IS NULL THEN NULL
        ELSE json_build_object('code', error->>'code', 'detail', '(erased)', 'retryable', error->>'retryable') END
WHERE tenant_id = %(tenant)s AND run = ANY(%(runs)s)
"""

EMPTY_RUNS = b"""
UPDATE runs SET erased_at = clock_timestamp(), erasure = %(erasure)s, residue = true, subject = coalesce(%(replacement)s, subject, run),
    result_ref = NULL, reason = NULL, waits_for = NULL,
    error = CASE WHEN error IS NULL THEN NULL ELSE json_build_object('code', error->>'code', 'detail', '(erased)') END
WHERE tenant_id = %(tenant)s AND run = ANY(%(runs)s)
"""

DESTROY_KEYS = b"""
UPDATE subject_keys k SET wrapped = NULL, destroyed_at = clock_timestamp(), subject = coalesce(%(replacement)s, k.subject)
WHERE k.tenant_id = %(tenant)s AND k.key_id = ANY(%(keys)s) AND k.destroyed_at IS NULL
    AND NOT EXISTS (SELECT FROM runs r WHERE r.tenant_id = k.tenant_id AND r.subject = k.subject AND r.subject_key = k.key_id
        AND r.erased_at IS NULL)
"""

ANSWERS = b"SELECT route, key, sealed FROM idempotency_keys WHERE tenant_id = %(tenant)s AND sealed IS NOT NULL"
FORGET_ANSWER = b"DELETE FROM idempotency_keys WHERE tenant_id = %(tenant)s AND route = %(route)s AND key = %(key)s"

RECORD = b"""
INSERT INTO erasures (tenant_id, erasure, mode, subject, requested_by, runs, subject_keys, payloads, messages, approvals, tasks, answers)
VALUES (%(tenant)s, %(erasure)s, %(mode)s, %(subject)s, %(principal)s, %(n_runs)s, %(n_keys)s, %(payloads)s, %(messages)s, %(approvals)s,
    %(tasks)s, %(answers)s)
"""

RESIDUES = b"SELECT run, erasure, epoch FROM runs WHERE tenant_id = %(tenant)s AND residue ORDER BY run LIMIT %(limit)s"
COUNT_RESIDUE = b"""
UPDATE runs SET residue_objects = %(objects)s, residue_histories = %(histories)s
WHERE tenant_id = %(tenant)s AND run = %(run)s AND residue AND residue_objects IS NULL
"""
LOCK_ERASURE = b"SELECT erasure FROM erasures WHERE tenant_id = %(tenant)s AND erasure = %(erasure)s FOR UPDATE"
"""A statement of its own: of two that clear the last two runs at once, the second must see the first's run as cleared."""

CLEAR_RESIDUE = b"""
UPDATE runs SET residue = false WHERE tenant_id = %(tenant)s AND run = %(run)s AND residue
RETURNING epoch, correlation_id, coalesce(residue_objects, 0) AS objects, coalesce(residue_histories, 0) AS histories
"""
ADD_CLEARED = b"""
UPDATE erasures SET objects = objects + %(objects)s, histories = histories + %(histories)s,
    completed_at = CASE WHEN EXISTS (SELECT FROM runs r WHERE r.tenant_id = %(tenant)s AND r.erasure = %(erasure)s AND r.residue) THEN NULL
        ELSE clock_timestamp() END
WHERE tenant_id = %(tenant)s AND erasure = %(erasure)s
"""

CERTIFICATE = b"""
SELECT e.run, e.seq, e.kind, e.hash FROM runs r JOIN ledger_entries e ON e.tenant_id = r.tenant_id AND e.run = r.run
WHERE r.tenant_id = %(tenant)s AND r.erasure = %(erasure)s AND e.kind = ANY(%(kinds)s)
ORDER BY e.run, e.seq LIMIT 1000
"""
