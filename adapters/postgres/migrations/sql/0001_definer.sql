-- The two functions that see all tenants (ADR 0004): which tenants there are, and whose key this is. Owned by standfast_definer,
-- which bypasses row-level security, cannot log in, and owns nothing else.
CREATE FUNCTION tenant_ids() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT tenant_id FROM public.tenants ORDER BY tenant_id
$$;

CREATE FUNCTION find_api_key(
    p_key_id text, OUT tenant_id text, OUT secret_hmac bytea, OUT principal text, OUT role text, OUT reviewer_roles text[],
    OUT name text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT k.tenant_id, k.secret_hmac, k.principal, p.role, p.reviewer_roles, p.name
    FROM public.tenants t
        JOIN public.api_keys k ON k.tenant_id = t.tenant_id
        JOIN public.principals p ON p.tenant_id = k.tenant_id AND p.principal = k.principal
    WHERE k.key_id = p_key_id AND k.revoked_at IS NULL
$$;

REVOKE ALL ON FUNCTION tenant_ids(), find_api_key(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_ids(), find_api_key(text) TO standfast_app;

GRANT CREATE ON SCHEMA public TO standfast_definer;
ALTER FUNCTION tenant_ids() OWNER TO standfast_definer;
ALTER FUNCTION find_api_key(text) OWNER TO standfast_definer;
REVOKE CREATE ON SCHEMA public FROM standfast_definer;
