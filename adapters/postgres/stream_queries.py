"""The reads of streams; each sets its own tenant and is one round trip.

`OFFSET 0` keeps the planner from reading the table before the tenant is set: row-level security would show it no row.
"""

_SETTING = b"FROM set_config('standfast.tenant', %s, true) AS setting(tenant), LATERAL "

STANDING = (
    b"SELECT found.* "
    + _SETTING
    + b"(SELECT r.status, r.head_seq FROM runs r WHERE r.tenant_id = setting.tenant AND r.run = %s OFFSET 0) AS found"
)

PIECES = (
    b"SELECT found.* "
    + _SETTING
    + b"(SELECT d.last, d.sealed FROM stream_deltas d WHERE d.tenant_id = setting.tenant AND d.run = %s AND d.step = %s AND d.visit = %s"
    b" AND d.call = %s AND d.epoch = %s AND d.attempt = %s AND d.last > %s ORDER BY d.last LIMIT %s OFFSET 0) AS found ORDER BY found.last"
)

SETTLED = (
    b"SELECT found.* " + _SETTING + b"(SELECT e.output_ref AS ref, e.digest AS request, p.sealed"
    b" FROM effects e LEFT JOIN payloads p ON p.tenant_id = e.tenant_id AND p.ref = e.output_ref"
    b" WHERE e.tenant_id = setting.tenant AND e.run = %s AND e.step = %s AND e.visit = %s AND e.call = %s AND e.output_ref IS NOT NULL"
    b" OFFSET 0) AS found"
)

HEADS = (
    b"SELECT found.* "
    + _SETTING
    + b"(SELECT r.run, r.head_seq, r.status FROM runs r WHERE r.tenant_id = setting.tenant AND r.run = ANY(%s) OFFSET 0) AS found"
)
