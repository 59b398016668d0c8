"""The master key file."""

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.codec.master_key import load_master_key, load_or_create_master_key, others_may_read
from domain.errors import InvalidInput


class TestLoadOrCreateMasterKey:
    def test_makes_a_key_only_the_owner_may_read(self, tmp_path: Path) -> None:
        path = tmp_path / "state" / "master.key"
        assert len(load_or_create_master_key(path)) == 32
        assert path.stat().st_mode & 0o777 == 0o600

    def test_returns_the_same_key_ever_after(self, tmp_path: Path) -> None:
        path = tmp_path / "master.key"
        assert load_or_create_master_key(path) == load_or_create_master_key(path) == load_master_key(path)

    def test_agrees_on_one_key_when_many_start_at_once(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(16) as pool:
            keys = set(pool.map(load_or_create_master_key, [tmp_path / "master.key"] * 64))
        assert len(keys) == 1
        assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


class TestLoadMasterKey:
    def test_refuses_a_file_that_others_may_read(self, tmp_path: Path) -> None:
        path = tmp_path / "master.key"
        load_or_create_master_key(path)
        path.chmod(0o640)
        with pytest.raises(InvalidInput, match="chmod 600"):
            load_master_key(path)

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "holds 0 bytes"),
            (b"not base64!", "is not base64"),
            (base64.b64encode(bytes(31)), "holds 31 bytes"),
            (b"\xff", "cannot be read"),
        ],
    )
    def test_refuses_what_is_no_key(self, tmp_path: Path, content: bytes, says: str) -> None:
        path = tmp_path / "master.key"
        path.touch(mode=0o600)
        path.write_bytes(content)
        with pytest.raises(InvalidInput, match=says):
            load_master_key(path)

    def test_may_be_read_by_its_group_only_where_it_is_mounted(self) -> None:
        own = os.getuid()
        found = {owner: os.stat_result((0o100440, 0, 0, 0, owner, 0, 32, 0, 0, 0)) for owner in (own, own + 1)}
        assert others_may_read(found[own])
        assert not others_may_read(found[own + 1])

    def test_says_that_the_file_is_absent(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="cannot be read"):
            load_master_key(tmp_path / "master.key")
