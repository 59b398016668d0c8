"""`standfast migrate`: brings the database to this version's schema."""

import sys

from adapters.postgres.migrate import current_revision, migrate
from adapters.postgres.schema_version import newest_revision, refuse_unknown
from domain.errors import InvalidInput
from wiring.keys import InstallationKeys
from wiring.settings import DatabaseSettings, PlatformSettings


def migrate_command(*, check: bool) -> int:
    """Migrate, or with `check` only compare; returns 0 when the schema is (now) this version's, 1 when `check` finds it older.

    Raises:
        InvalidInput: STANDFAST_DATABASE_OWNER_URL is not set.
        Unavailable: the database does not answer, or its schema is newer than this version.
    """
    settings = DatabaseSettings()
    if settings.owner_url is None:
        raise InvalidInput("STANDFAST_DATABASE_OWNER_URL is not set: give the URL of the role that owns the tables or may make roles")
    owner_url = settings.owner_url.get_secret_value()
    if check:
        have, want = current_revision(owner_url), newest_revision()
        refuse_unknown(have)
        needed = have != want
        advice = "; run `standfast migrate`" if needed else "; nothing to do"
        sys.stdout.write(f"database: {have or 'empty'}; this version: {want}{advice}\n")
        return 1 if needed else 0
    password = InstallationKeys(PlatformSettings().key_path).app_password
    done = migrate(owner_url, app_password=password)
    sys.stdout.write(f"migrated from {done.before or 'empty'} to {done.after}\n")
    return 0
