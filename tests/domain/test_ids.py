"""Ids: one shape, one parser each, and ids derived from a key."""

import pytest

from domain.errors import InvalidId
from domain.ids import derive_run_id, format_id, parse_id, parse_tenant

RAW = bytes(range(16))


class TestId:
    @pytest.mark.parametrize("prefix", ["run", "apr", "dec", "tsk", "key", "prn"])
    def test_is_a_prefix_and_26_characters(self, prefix: str) -> None:
        made = format_id(prefix, RAW)
        assert made == f"{prefix}_00041061050r3gg28a1c60t3gf"
        assert len(made) == len(prefix) + 27
        assert parse_id(made, prefix) == made

    def test_sorts_as_its_bytes(self) -> None:
        raws = [bytes([n]) * 16 for n in (0, 1, 7, 31, 32, 127, 200, 255)]
        assert [format_id("run", raw) for raw in raws] == sorted(format_id("run", raw) for raw in raws)

    @pytest.mark.parametrize(("prefix", "raw"), [("xyz", RAW), ("run", RAW[:15]), ("run", RAW + b"x"), ("", RAW)])
    def test_is_not_made_of_anything_else(self, prefix: str, raw: bytes) -> None:
        with pytest.raises(InvalidId):
            format_id(prefix, raw)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "run_",
            "run_" + "0" * 25,
            "run_" + "0" * 27,
            "run_" + "i" * 26,
            "RUN_" + "0" * 26,
            "apr_" + "0" * 26,
            "run_" + "0" * 26 + "\n",
        ],
    )
    def test_is_refused_when_malformed(self, text: str) -> None:
        with pytest.raises(InvalidId, match="expected run_ and 26 characters"):
            parse_id(text, "run")


class TestTenant:
    @pytest.mark.parametrize("text", ["ab", "a-b", "acme-2", "a" * 40])
    def test_is_a_slug(self, text: str) -> None:
        assert parse_tenant(text) == text

    @pytest.mark.parametrize("text", ["", "a", "A1", "1a", "a-", "a_b", "a" * 41, "a b", "ab\n"])
    def test_is_refused_otherwise(self, text: str) -> None:
        with pytest.raises(InvalidId, match="is not a tenant"):
            parse_tenant(text)


class TestDerivedRunId:
    def test_is_the_same_for_the_same_key_and_request(self) -> None:
        assert derive_run_id(b"k", "claim-1") == derive_run_id(b"k", "claim-1")
        assert parse_id(derive_run_id(b"k", "claim-1"), "run")

    def test_differs_by_request_and_by_tenant_key(self) -> None:
        assert len({derive_run_id(b"k", "a"), derive_run_id(b"k", "b"), derive_run_id(b"x", "a")}) == 3
