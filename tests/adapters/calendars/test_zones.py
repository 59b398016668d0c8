"""The zones of the pinned edition."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.calendars.zones import PinnedZones
from domain.errors import InvalidInput


class TestPinnedZones:
    def test_know_when_clocks_change(self) -> None:
        berlin = PinnedZones().zone("Europe/Berlin")
        winter, summer = datetime(2026, 3, 29, 0, 59, tzinfo=UTC), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
        assert (winter.astimezone(berlin).utcoffset(), summer.astimezone(berlin).utcoffset()) == (timedelta(hours=1), timedelta(hours=2))

    @pytest.mark.parametrize("name", ["Europe/Berlim", "../../etc/passwd", "", "Europe", "/Europe/Berlin"])
    def test_refuse_what_is_no_zone(self, name: str) -> None:
        with pytest.raises(InvalidInput, match="there is no time zone"):
            PinnedZones().zone(name)

    def test_say_which_zone_may_be_meant(self) -> None:
        with pytest.raises(InvalidInput, match="did you mean Europe/Berlin"):
            PinnedZones().zone("Europe/Berlim")

    def test_say_their_edition(self) -> None:
        year, letter = PinnedZones().edition[:4], PinnedZones().edition[4:]
        assert year.isdecimal()
        assert letter.isalpha()

    def test_come_from_the_package_whatever_the_machine_has(self) -> None:
        zones = PinnedZones()
        assert len(zones.names) > 500
        for name in ("UTC", "America/Argentina/Buenos_Aires", "Asia/Kathmandu"):
            assert str(zones.zone(name)) == name
