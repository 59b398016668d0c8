"""The writes of runs; their reads are in `selects.py`."""

INSERT_RUN = b"""
INSERT INTO runs (tenant_id, run, definition, version, definition_sha256, principal, correlation_id, fingerprint, expression_engine,
    status, input_ref, config_ref, subject, subject_key, input_labels)
VALUES (%(tenant)s, %(run)s, %(definition)s, %(version)s, %(definition_sha256)s, %(principal)s, %(correlation_id)s, %(fingerprint)s,
    %(expression_engine)s, 'accepted', %(input_ref)s, %(config_ref)s, %(subject)s, %(subject_key)s, %(input_labels)s)
ON CONFLICT (tenant_id, run) DO NOTHING
RETURNING created_at
"""

EXPIRE_OR_CLOSE = b"""
UPDATE runs SET status = %(status)s, reason = %(reason)s, closed_at = clock_timestamp(), updated_at = clock_timestamp(), waits_for = NULL
WHERE tenant_id = %(tenant)s AND run = %(run)s AND closed_at IS NULL AND (NOT %(expires)s OR epoch IS NULL)
    AND epoch IS NOT DISTINCT FROM %(epoch)s
RETURNING epoch, correlation_id
"""
