"""Files that a sandbox hands back: a shell inside packs them after the program's end, behind a mark on standard output.

So nothing of the host is mounted and no file system is read from outside. The code inside could forge the archive; it holds only what
is the code's own anyway, and it is read without following anything.
"""

import io
import secrets
import tarfile
from collections.abc import Callable

from adapters.sandboxes.output import OutputCollector
from adapters.sandboxes.work_files import checked_name
from domain.sandbox import SandboxProfile

SCRIPT = """mark=$1; wanted=$2; shift 2
"$@"; code=$?
kill -9 -1 2>/dev/null
set -f; IFS='
'; set --
for name in $wanted; do [ -f "$name" ] && [ ! -L "$name" ] && set -- "$@" "./$name"; done
printf %s "$mark"; [ $# -gt 0 ] && tar -c -f - -- "$@"
exit $code"""
"""Runs the program, ends what it left running, then writes the mark and a tar archive. Every shell and tar understands it."""
OVERHEAD_BYTES = 1024 * 1024
"""Room for tar's headers and padding above `disk_bytes`."""


class FilesOut:
    """Stands before the collector and keeps what follows the mark apart; `wrapped` is the command to run instead."""

    def __init__(self, profile: SandboxProfile, output: OutputCollector) -> None:
        self._output = output
        self._names = [checked_name(name) for name in profile.files_out]
        self._mark = secrets.token_hex(16).encode()
        self._room = profile.disk_bytes
        self._held = b""
        self._archive: bytearray | None = None
        self._too_large = False

    def wrapped(self, command: list[str]) -> list[str]:
        """Return the command that runs `command` and packs the files after it."""
        return ["sh", "-c", SCRIPT, "sh", self._mark.decode(), "\n".join(self._names), *command]

    @property
    def overflowed(self) -> bool:
        """Whether the program wrote more than its limit, or left more than its disk."""
        return self._output.overflowed or self._too_large

    def when_full(self, stop: Callable[[], object]) -> None:
        """Have `stop` called when the output limit is passed."""
        self._output.when_full(stop)

    def text(self, stream: str) -> str:
        """Return what was kept of a stream, without the archive."""
        self._flush()
        return self._output.text(stream)

    def take(self, stream: str, chunk: bytes) -> bool:
        """Hand output on, and keep the archive."""
        if stream != "stdout":
            return self._output.take(stream, chunk)
        if self._archive is not None:
            return self._pack(chunk)
        before, mark, after = (self._held + chunk).partition(self._mark)
        if mark:
            self._held, self._archive = b"", bytearray()
            return self._output.take(stream, before) and self._pack(after)
        # The end may be the beginning of the mark: hold as much back as could be.
        keep = len(self._mark) - 1
        self._held = before[-keep:]
        return self._output.take(stream, before[:-keep])

    def _pack(self, chunk: bytes) -> bool:
        """Add to the archive; more than the disk holds is cut off."""
        archive = self._archive if self._archive is not None else bytearray()
        if len(archive) + len(chunk) > self._room + OVERHEAD_BYTES:
            self._too_large = True
            return False
        archive += chunk
        return True

    def _flush(self) -> None:
        """Hand on what was held back for a mark that never came."""
        held, self._held = self._held, b""
        if held:
            self._output.take("stdout", held)

    def files(self) -> dict[str, bytes]:
        """Return the wanted files that came back as plain files; links, devices, sparse and broken members count as absent."""
        found: dict[str, bytes] = {}
        room = self._room
        try:
            with tarfile.open(fileobj=io.BytesIO(bytes(self._archive or b"")), mode="r:") as archive:
                for member in archive:
                    name = member.name.removeprefix("./")
                    plain = member.isreg() and not member.issparse() and name in self._names and member.size <= room
                    content = archive.extractfile(member) if plain else None
                    if content is not None:
                        found[name] = content.read(room)
                        room -= len(found[name])
        except (tarfile.TarError, ValueError, EOFError):
            return found
        return found
