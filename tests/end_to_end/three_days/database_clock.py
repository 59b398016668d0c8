"""Lets a PostgreSQL database go by the scenario's clock: who logs in finds `now()` and `clock_timestamp()` of a schema before the system's.

Whether a substitute stands, or a lease has run out, is the database's clock to say; so it has to follow. Event triggers on login need
PostgreSQL 17 or newer (documentation, "Event Triggers").
"""

from datetime import timedelta

import psycopg

_SCHEMA = """
CREATE SCHEMA world;
CREATE TABLE world.clock (ahead interval NOT NULL);
INSERT INTO world.clock VALUES (interval '0');
CREATE FUNCTION world.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT pg_catalog.clock_timestamp() + (SELECT ahead FROM world.clock)';
CREATE FUNCTION world.now() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT pg_catalog.now() + (SELECT ahead FROM world.clock)';
CREATE FUNCTION world.look_at_the_clock() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM set_config('search_path', 'world, pg_catalog, public', false); END $$;
GRANT USAGE ON SCHEMA world TO PUBLIC;
GRANT SELECT ON world.clock TO PUBLIC;
CREATE EVENT TRIGGER look_at_the_clock ON login EXECUTE FUNCTION world.look_at_the_clock();
"""

_DEFAULTS = """
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT table_name, column_name, column_default FROM information_schema.columns
        WHERE table_schema = 'public' AND column_default IN ('now()', 'clock_timestamp()')
    LOOP
        EXECUTE format('ALTER TABLE public.%I ALTER COLUMN %I SET DEFAULT world.%s',
            found.table_name, found.column_name, found.column_default);
    END LOOP;
END $$;
"""


def follow_the_scenario(owner_url: str, ahead: timedelta) -> None:
    """Make a migrated database's clock one that can be moved, and move it; sessions that exist stay as they are."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute(_SCHEMA)
        owner.execute(_DEFAULTS)
    set_ahead(owner_url, ahead)


def set_ahead(owner_url: str, ahead: timedelta) -> None:
    """Set how far the database's clock is ahead of the machine's."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("UPDATE world.clock SET ahead = %s", [ahead])
