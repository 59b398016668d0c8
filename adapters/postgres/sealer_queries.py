"""The SQL of the sealer: what waits, the fence, and what one sealing transaction writes."""

WAITING = b"""
SELECT EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = %(tenant)s AND r.unsealed) AS flagged,
    EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = %(tenant)s AND r.unsealed AND r.head_seq > coalesce((
        SELECT max(l.seq) FROM ledger_leaves l WHERE l.tenant_id = r.tenant_id AND l.run = r.run), 0)) AS waiting
"""

QUIET_SECONDS = 10
"""A run that was appended to more lately stays flagged: it will be again, and each change of the flag costs its indexes a write."""

FORGET_QUIET = b"""
WITH quiet AS (
    SELECT r.run FROM runs r
    WHERE r.tenant_id = %(tenant)s AND r.unsealed
        AND (r.closed_at IS NOT NULL OR r.updated_at < clock_timestamp() - %(quiet)s * interval '1 second')
        AND r.head_seq <= coalesce((SELECT max(l.seq) FROM ledger_leaves l WHERE l.tenant_id = r.tenant_id AND l.run = r.run), 0)
        AND (r.head_seq <= (SELECT c.seq FROM relay_cursors c WHERE c.tenant_id = r.tenant_id AND c.run = r.run)
            OR NOT EXISTS (SELECT 1 FROM relays y WHERE y.tenant_id = %(tenant)s))
    ORDER BY r.run LIMIT 1000
    FOR NO KEY UPDATE SKIP LOCKED)
UPDATE runs SET unsealed = false FROM quiet WHERE runs.tenant_id = %(tenant)s AND runs.run = quiet.run
"""
"""The flag falls under the run's row lock, where whoever appends raises it; a run that is being appended to is left for later.

The relay finds its work by the same flag: where it is active, a run stays flagged until the relay has read it to its head too."""

CLAIM = b"""
INSERT INTO sealers AS s (tenant_id, epoch, holder, lease_until)
VALUES (%(tenant)s, 1, %(holder)s, clock_timestamp() + %(lease_s)s * interval '1 second')
ON CONFLICT (tenant_id) DO UPDATE SET
    epoch = s.epoch + CASE WHEN s.holder = excluded.holder THEN 0 ELSE 1 END, holder = excluded.holder, lease_until = excluded.lease_until
WHERE s.holder = excluded.holder OR s.lease_until <= clock_timestamp()
RETURNING epoch
"""

FENCE = b"""
UPDATE sealers SET lease_until = clock_timestamp() + %(lease_s)s * interval '1 second'
WHERE tenant_id = %(tenant)s AND epoch = %(epoch)s
RETURNING epoch
"""
"""Locks the lease's row until the commit: no other epoch can begin meanwhile, and an ended epoch finds no row."""

RELEASE = b"UPDATE sealers SET lease_until = clock_timestamp() WHERE tenant_id = %(tenant)s AND epoch = %(epoch)s"

NEWEST_HEAD = b"SELECT * FROM tree_heads WHERE tenant_id = %(tenant)s ORDER BY tree_size DESC LIMIT 1"

BATCH = b"""
SELECT e.run, e.seq, e.prev, e.hash, waiting.sealed_seq, waiting.sealed_hash
FROM (
    SELECT r.run, r.head_seq, coalesce(last.seq, 0) AS sealed_seq, last.entry_hash AS sealed_hash
    FROM runs r
        LEFT JOIN LATERAL (
            SELECT l.seq, l.entry_hash FROM ledger_leaves l
            WHERE l.tenant_id = r.tenant_id AND l.run = r.run ORDER BY l.seq DESC LIMIT 1) AS last ON true
    WHERE r.tenant_id = %(tenant)s AND r.unsealed AND r.head_seq > coalesce(last.seq, 0) AND r.run <> ALL (%(without)s::text[])
    ORDER BY r.run LIMIT %(limit)s) AS waiting
    JOIN ledger_entries e ON e.tenant_id = %(tenant)s AND e.run = waiting.run
        AND e.seq > waiting.sealed_seq AND e.seq <= waiting.head_seq
ORDER BY e.run, e.seq
LIMIT %(limit)s
"""
"""Driven by chain heads: an entry and the head that names it become visible together, so one snapshot never shows a gap, however late
a writer commits. A chain without gaps up to its head is sealed up to that head."""

INSERT_LEAVES = b"""
INSERT INTO ledger_leaves (tenant_id, leaf_index, run, seq, entry_hash)
SELECT %(tenant)s, * FROM unnest(%(indexes)s::bigint[], %(runs)s::text[], %(seqs)s::bigint[], %(hashes)s::bytea[])
"""

INSERT_NODES = b"""
INSERT INTO ledger_nodes (tenant_id, level, place, hash)
SELECT %(tenant)s, * FROM unnest(%(levels)s::smallint[], %(places)s::bigint[], %(hashes)s::bytea[])
"""

INSERT_HEAD = b"""
INSERT INTO tree_heads (tenant_id, tree_size, root_hash, signed_at, key_id, signature, sealer_epoch)
VALUES (%(tenant)s, %(tree_size)s, %(root_hash)s, %(signed_at)s, %(key_id)s, %(signature)s, %(epoch)s)
"""

NODES = b"""
SELECT n.level, n.place, n.hash
FROM unnest(%(levels)s::smallint[], %(places)s::bigint[]) AS wanted(level, place)
    JOIN ledger_nodes n ON n.tenant_id = %(tenant)s AND n.level = wanted.level AND n.place = wanted.place
"""

LEAVES = b"SELECT leaf_index, entry_hash FROM ledger_leaves WHERE tenant_id = %(tenant)s AND leaf_index = ANY (%(places)s::bigint[])"

CURRENT_KEY = b"SELECT *, clock_timestamp() AS now FROM signing_keys WHERE tenant_id = %(tenant)s AND valid_to IS NULL"

INSERT_KEY = b"""
INSERT INTO signing_keys (tenant_id, key_id, generation, public_key, valid_from)
VALUES (%(tenant)s, %(key_id)s, %(generation)s, %(public_key)s, coalesce(%(valid_from)s, clock_timestamp()))
RETURNING *, clock_timestamp() AS now
"""

END_KEY = b"""
UPDATE signing_keys k SET valid_to = greatest(clock_timestamp(), k.valid_from, (
    SELECT h.signed_at FROM tree_heads h WHERE h.tenant_id = k.tenant_id ORDER BY h.tree_size DESC LIMIT 1)) + interval '1 microsecond'
WHERE k.tenant_id = %(tenant)s AND k.valid_to IS NULL
RETURNING k.generation, k.valid_to
"""

LOCK_LEASE = b"""
INSERT INTO sealers AS s (tenant_id, epoch, holder, lease_until) VALUES (%(tenant)s, 0, '', clock_timestamp())
ON CONFLICT (tenant_id) DO UPDATE SET epoch = s.epoch
"""
"""Keeps sealing transactions of the tenant out until the commit, without taking the lease from anybody."""
