"""Calendars and substitutes, blocking."""

from collections.abc import Mapping, Sequence

from standfast_client.drivers import Driver
from standfast_client.flows import reviewing
from standfast_client.models import JsonInput
from standfast_client.reviewing import Calendar, Instants, Substitution


class Calendars:
    """Working hours, in which approvals may count their deadlines."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def get(self, name: str, *, version: int | None = None) -> Calendar:
        """Read a calendar's latest version, or one by its number."""
        return self._driver.run(reviewing.calendar(self._driver.link, name, version=version))

    def put(self, name: str, calendar: Mapping[str, JsonInput], *, idempotency_key: str | None = None) -> Calendar:
        """Store a calendar's next version; for admins. The one that stands already changes nothing.

        Args:
            name: 2 to 64 characters of a-z, 0-9 and hyphen.
            calendar: `zone` (IANA), `hours` (`mon` … `sun`, each a list of {"from": "09:00", "to": "17:00"}), `holidays` (`date`, `name`).
            idempotency_key: A random key when None.

        Raises:
            InvalidInputError: There is no such zone, or the hours make no sense.
        """
        return self._driver.run(reviewing.put_calendar(self._driver.link, name, calendar, idempotency_key=idempotency_key))

    def retire(self, name: str, *, idempotency_key: str | None = None) -> None:
        """Take a calendar out of use; approvals that are open keep their deadlines."""
        self._driver.run(reviewing.retire_calendar(self._driver.link, name, idempotency_key=idempotency_key))

    def instants(self, name: str, start: str, offsets_s: Sequence[float], *, version: int | None = None) -> Instants:
        """Compute when so many seconds of working time will have passed since `start` (RFC 3339); 0 is the next working instant."""
        return self._driver.run(reviewing.instants(self._driver.link, name, start, offsets_s, version=version))

    def list(self, *, limit: int = 50) -> list[Calendar]:
        """Read the latest version of each calendar in use, by name."""
        return self._driver.run(reviewing.calendars(self._driver.link, limit=limit))


class Substitutes:
    """Who decides in a reviewer's place."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def set(
        self,
        substitute: str,
        until: str,
        *,
        since: str | None = None,
        reviewer: str | None = None,
        roles: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> Substitution:
        """Name a substitute for yourself, or as an admin for anybody.

        Args:
            substitute: The principal who decides meanwhile, with the roles the reviewer has at that moment.
            until: RFC 3339; at most 366 days after the start.
            since: RFC 3339; now when None.
            reviewer: Whose place it is; yours when None.
            roles: Some of the reviewer's roles; all when empty.
            idempotency_key: A random key when None.

        Raises:
            ForbiddenError: It is for somebody else, and you are no admin.
            InvalidInputError: The times or the persons make no sense.
        """
        named = {"substitute": substitute, "to": until, "from": since, "reviewer": reviewer, "roles": list(roles)}
        return self._driver.run(reviewing.substitute(self._driver.link, named, idempotency_key=idempotency_key))

    def get(self, substitution: str) -> Substitution:
        """Read a substitution."""
        return self._driver.run(reviewing.substitution(self._driver.link, substitution))

    def end(self, substitution: str, *, idempotency_key: str | None = None) -> Substitution:
        """End a substitution now; for its reviewer, its substitute, and admins."""
        return self._driver.run(reviewing.end_substitution(self._driver.link, substitution, idempotency_key=idempotency_key))

    def list(self, *, principal: str | None = None, standing: bool = False, limit: int = 50) -> list[Substitution]:
        """Read substitutions, latest start first: of one principal on either side, `standing` only those that are not over."""
        query = reviewing.substitutes(self._driver.link, principal=principal, standing=standing, limit=limit)
        return self._driver.run(query)
