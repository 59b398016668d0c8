"""Files handed back: what stands between a program's output and its archive, and what an archive may hold."""

import io
import tarfile

import pytest

from adapters.sandboxes.files_out import OVERHEAD_BYTES, FilesOut
from adapters.sandboxes.output import OutputCollector
from domain.errors import InvalidInput
from domain.sandbox import MIB, SandboxProfile

PROFILE = SandboxProfile(name="small", backend="bubblewrap", disk_bytes=MIB, files_out=("a.txt", "d/b.txt"))


def archive(*members: tuple[str, bytes, bytes]) -> bytes:
    """Return a tar archive of (name, content or link target, type)."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            member.size = len(content) if kind == tarfile.REGTYPE else 0
            member.linkname = "" if kind == tarfile.REGTYPE else content.decode()
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def mark_of(given: FilesOut) -> bytes:
    """Return the mark that the shell inside was told."""
    return given.wrapped(["true"])[4].encode()


async def taken(*chunks: bytes, profile: SandboxProfile = PROFILE) -> tuple[FilesOut, str]:
    """Give output in chunks; `MARK` in it stands for the mark."""
    async with OutputCollector(profile.output_bytes) as output:
        given = FilesOut(profile, output)
        for chunk in chunks:
            given.take("stdout", chunk.replace(b"MARK", mark_of(given)))
        return given, given.text("stdout")


class TestFilesOut:
    async def test_are_kept_apart_from_the_output(self) -> None:
        given, text = await taken(b"hello\n", b"MARK" + archive(("./a.txt", b"A", tarfile.REGTYPE), ("d/b.txt", b"B", tarfile.REGTYPE)))
        assert (text, given.files()) == ("hello\n", {"a.txt": b"A", "d/b.txt": b"B"})

    async def test_are_found_when_the_mark_comes_in_pieces(self) -> None:
        async with OutputCollector(1000) as output:
            given = FilesOut(PROFILE, output)
            for byte in b"out" + mark_of(given) + archive(("a.txt", b"A", tarfile.REGTYPE)):
                given.take("stdout", bytes([byte]))
            assert (given.text("stdout"), given.files()) == ("out", {"a.txt": b"A"})

    async def test_are_none_when_the_program_was_stopped_before(self) -> None:
        given, text = await taken(b"x" * 50)
        assert (text, given.files()) == ("x" * 50, {})

    @pytest.mark.parametrize(
        "member",
        [
            ("../a.txt", b"A", tarfile.REGTYPE),
            ("/etc/passwd", b"A", tarfile.REGTYPE),
            ("other.txt", b"A", tarfile.REGTYPE),
            ("a.txt", b"/etc/shadow", tarfile.SYMTYPE),
            ("a.txt", b"/etc/shadow", tarfile.LNKTYPE),
            ("a.txt", b"", tarfile.CHRTYPE),
            ("a.txt", b"", tarfile.DIRTYPE),
        ],
        ids=["climbing", "absolute", "not asked for", "a link", "a hard link", "a device", "a folder"],
    )
    async def test_are_nothing_but_plain_files_that_were_asked_for(self, member: tuple[str, bytes, bytes]) -> None:
        given, _ = await taken(b"MARK" + archive(member))
        assert given.files() == {}

    async def test_of_a_broken_archive_are_none(self) -> None:
        given, _ = await taken(b"MARK" + b"\xff" * 1024)
        assert given.files() == {}

    async def test_take_no_more_memory_than_the_disk_had(self) -> None:
        given, _ = await taken(b"MARK", b"x" * (MIB + OVERHEAD_BYTES), b"x")
        assert given.overflowed

    @pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", ""])
    async def test_lie_in_the_work_folder(self, name: str) -> None:
        async with OutputCollector(10) as output:
            with pytest.raises(InvalidInput, match="work folder"):
                FilesOut(PROFILE.model_copy(update={"files_out": (name,)}), output)
