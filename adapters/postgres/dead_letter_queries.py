"""The SQL of dead letters and of redrives of many."""

ADD = b"""
SELECT dead_letter_add(%(tenant)s, %(kind)s, %(subject)s, %(occasion)s, %(run)s, %(definition)s, %(step)s, %(error)s, %(place)s,
    %(attempts)s, %(first_at)s, %(last_at)s, %(payload_ref)s) AS dead_letter
"""

GET = b"SELECT * FROM dead_letters WHERE tenant_id = %(tenant)s AND dead_letter = %(dead_letter)s"

PAGE = b"""
SELECT * FROM dead_letters
WHERE tenant_id = %(tenant)s AND (%(state)s::text IS NULL OR state = %(state)s) AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    AND (%(cause)s::text IS NULL OR cause = %(cause)s) AND (%(definition)s::text IS NULL OR definition = %(definition)s)
    AND (%(run)s::text IS NULL OR run = %(run)s) AND (%(since)s::timestamptz IS NULL OR last_at >= %(since)s)
    AND (last_at, dead_letter) < (%(last_at)s, %(dead_letter)s)
ORDER BY last_at DESC, dead_letter DESC LIMIT %(limit)s
"""

CLAIM = b"""
UPDATE dead_letters SET lease_until = clock_timestamp() + %(lease_s)s * interval '1 second'
WHERE tenant_id = %(tenant)s AND dead_letter = %(dead_letter)s AND state = 'open'
    AND (lease_until IS NULL OR lease_until <= clock_timestamp())
RETURNING *
"""

RELEASE = b"""
UPDATE dead_letters SET lease_until = NULL, refused = coalesce(%(refused)s, refused)
WHERE tenant_id = %(tenant)s AND dead_letter = %(dead_letter)s AND state = 'open'
"""

REDRIVEN = b"""
UPDATE dead_letters SET state = 'redriven', closed_at = coalesce(closed_at, clock_timestamp()), closed_by = %(by)s,
    reason_sealed = %(reason)s, lease_until = NULL, refused = NULL
WHERE tenant_id = %(tenant)s AND dead_letter = %(dead_letter)s AND state <> 'discarded' AND closed_by IS NULL
RETURNING run
"""
"""A run's is closed by the database when the run opens again; who did that is told here."""

DISCARD = b"""
UPDATE dead_letters SET state = 'discarded', closed_at = clock_timestamp(), closed_by = %(by)s, reason_sealed = %(reason)s
WHERE tenant_id = %(tenant)s AND dead_letter = %(dead_letter)s AND state = 'open'
    AND (lease_until IS NULL OR lease_until <= clock_timestamp())
RETURNING run
"""

RUN_OF = b"SELECT correlation_id, epoch FROM runs WHERE tenant_id = %(tenant)s AND run = %(run)s"

CLOSED_WITH_RUN = b"""
SELECT tenant_id, dead_letter FROM dead_letters
WHERE tenant_id = %(tenant)s AND run = %(run)s AND kind IN ('run', 'effect') AND state = 'redriven' AND closed_by IS NULL
"""
