"""What a schema is, read from PostgreSQL's catalogue: so that two states of a database can be compared."""

import psycopg

QUERIES = {
    "column": """
        SELECT c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
            || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') || ' ' || a.attstorage::text
            || coalesce(' ' || a.attacl::text, '')
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND a.attnum > 0 AND NOT a.attisdropped""",
    "table": """
        SELECT relname, concat_ws(' ', relkind, relpersistence, relrowsecurity, relforcerowsecurity, pg_get_userbyid(relowner), reloptions,
            relacl)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S', 'v')""",
    "constraint": """
        SELECT conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype <> 'n'""",
    "index": "SELECT indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "policy": """
        SELECT tablename || ' ' || policyname, concat_ws(' ', permissive, roles, cmd, qual, with_check) FROM pg_policies
        WHERE schemaname = 'public'""",
    "trigger": """
        SELECT tgrelid::regclass || ' ' || tgname, pg_get_triggerdef(oid) || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal""",
    "function": """
        SELECT oid::regprocedure::text, pg_get_functiondef(oid) || pg_get_userbyid(proowner) || coalesce(proacl::text, '')
        FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind IN ('f', 'p')""",
}


def schema_of(url: str) -> dict[str, str]:
    """Return every part of a schema with its definition; Alembic's own table is left out."""
    found: dict[str, str] = {}
    with psycopg.connect(url) as connection:
        for kind, query in QUERIES.items():
            found |= {f"{kind} {name}": text for name, text in connection.execute(query.encode()).fetchall()}
    return {name: text for name, text in found.items() if "alembic_version" not in name}


def rows_of(url: str, columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return every row of each table as text, of the named columns only."""
    with psycopg.connect(url) as connection:
        return {table: sorted(str(row) for row in connection.execute(_select(table, names)).fetchall()) for table, names in columns.items()}


def _select(table: str, names: list[str]) -> bytes:
    return f"SELECT {', '.join(names)} FROM {table}".encode()  # noqa: S608 - names from the catalogue


def columns_of(url: str) -> dict[str, list[str]]:
    """Return the columns of each table in alphabetical order."""
    tables: dict[str, list[str]] = {}
    for name in sorted(schema_of(url)):
        if name.startswith("column "):
            table, _, column = name.removeprefix("column ").partition(".")
            tables.setdefault(table, []).append(column)
    return tables
