"""The cipher: what it returns, what it refuses, and that every byte is guarded."""

import struct

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from adapters.codec.cipher import COMPRESS_FROM_BYTES, PLAIN_BYTES_MAX, TenantCipher
from adapters.codec.data_keys import DerivedDataKeys, derive_key, joined
from domain.errors import BodyTooLarge, InvalidInput, ReferenceMissing
from domain.stores import PayloadCipher

MASTER = bytes(range(32))
TEXT = b'{"passenger": "Ada Lovelace", "flight": "UA 1545"}'


@pytest.fixture
def cipher() -> PayloadCipher:
    return TenantCipher(MASTER)


class TestTenantCipher:
    @given(plain=st.binary(max_size=4 * COMPRESS_FROM_BYTES), tenant=st.text(min_size=1, max_size=8), aad=st.text(max_size=8))
    def test_opens_what_it_sealed(self, plain: bytes, tenant: str, aad: str) -> None:
        cipher = TenantCipher(MASTER)
        assert cipher.open(tenant, aad, cipher.seal(tenant, aad, plain)) == plain

    def test_hides_the_plaintext(self, cipher: PayloadCipher) -> None:
        assert b"Lovelace" not in cipher.seal("acme", "run_a", TEXT)

    def test_never_seals_the_same_way_twice(self, cipher: PayloadCipher) -> None:
        assert cipher.seal("acme", "run_a", TEXT) != cipher.seal("acme", "run_a", TEXT)

    def test_compresses_what_is_long_enough(self, cipher: PayloadCipher) -> None:
        assert len(cipher.seal("acme", "run_a", TEXT * 100)) < len(TEXT) * 10

    def test_refuses_every_flipped_byte(self, cipher: PayloadCipher) -> None:
        sealed = cipher.seal("acme", "run_a", TEXT)
        for place in range(len(sealed)):
            changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
            with pytest.raises(ReferenceMissing):
                cipher.open("acme", "run_a", changed)

    def test_refuses_every_truncation(self, cipher: PayloadCipher) -> None:
        sealed = cipher.seal("acme", "run_a", TEXT)
        for length in range(len(sealed)):
            with pytest.raises(ReferenceMissing):
                cipher.open("acme", "run_a", sealed[:length])

    @pytest.mark.parametrize(("tenant", "aad"), [("acme", "run_b"), ("other", "run_a"), ("acmer", "un_a"), ("", "acmerun_a")])
    def test_refuses_another_tenant_or_place(self, cipher: PayloadCipher, tenant: str, aad: str) -> None:
        with pytest.raises(ReferenceMissing, match="changed, or belongs to another place"):
            cipher.open(tenant, aad, cipher.seal("acme", "run_a", TEXT))

    def test_refuses_another_master_key(self, cipher: PayloadCipher) -> None:
        with pytest.raises(ReferenceMissing):
            TenantCipher(bytes(32)).open("acme", "run_a", cipher.seal("acme", "run_a", TEXT))

    def test_refuses_to_seal_more_than_the_limit(self, cipher: PayloadCipher) -> None:
        with pytest.raises(BodyTooLarge, match="at most"):
            cipher.seal("acme", "run_a", bytes(PLAIN_BYTES_MAX + 1))

    def test_refuses_a_bomb_before_it_takes_memory(self) -> None:
        bomb = zstandard.ZstdCompressor().compress(bytes(PLAIN_BYTES_MAX + 1))
        with pytest.raises(ReferenceMissing, match="would decompress to 67108865 bytes"):
            TenantCipher(MASTER).open("acme", "run_a", _forged(bomb))

    @pytest.mark.parametrize("body", [b"no zstd frame at all", zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 999)])
    def test_refuses_a_compressed_body_of_unknown_size(self, body: bytes) -> None:
        with pytest.raises(ReferenceMissing, match="decompress"):
            TenantCipher(MASTER).open("acme", "run_a", _forged(body))


class TestSubjectCipher:
    def test_opens_what_it_sealed_and_hides_it(self) -> None:
        cipher = TenantCipher(MASTER)
        subject = cipher.under("acme", "s1", cipher.new_key("acme", "s1"))
        sealed = subject.seal("acme", "payloads/run_a/ref", TEXT)
        assert subject.open("acme", "payloads/run_a/ref", sealed) == TEXT
        assert b"Lovelace" not in sealed

    def test_is_needed_to_open_what_it_sealed(self) -> None:
        cipher = TenantCipher(MASTER)
        one, other = (cipher.under("acme", key_id, cipher.new_key("acme", key_id)) for key_id in ("s1", "s2"))
        for stranger in (cipher, other):
            with pytest.raises(ReferenceMissing):
                stranger.open("acme", "p", one.seal("acme", "p", TEXT))

    def test_has_a_random_key_that_no_master_key_gives_back(self) -> None:
        cipher = TenantCipher(MASTER)
        sealed = cipher.under("acme", "s1", cipher.new_key("acme", "s1")).seal("acme", "p", TEXT)
        with pytest.raises(ReferenceMissing):
            cipher.under("acme", "s1", cipher.new_key("acme", "s1")).open("acme", "p", sealed)

    def test_opens_what_the_tenant_sealed_before_subjects_had_keys(self) -> None:
        cipher = TenantCipher(MASTER)
        sealed = cipher.seal("acme", "p", TEXT)
        assert cipher.under("acme", "s1", cipher.new_key("acme", "s1")).open("acme", "p", sealed) == TEXT

    @pytest.mark.parametrize(("tenant", "key_id"), [("other", "s1"), ("acme", "s2")])
    def test_refuses_a_wrapped_key_of_another_tenant_or_name(self, tenant: str, key_id: str) -> None:
        cipher = TenantCipher(MASTER)
        with pytest.raises(ReferenceMissing):
            cipher.under(tenant, key_id, cipher.new_key("acme", "s1"))

    def test_serves_one_tenant(self) -> None:
        cipher = TenantCipher(MASTER)
        subject = cipher.under("acme", "s1", cipher.new_key("acme", "s1"))
        with pytest.raises(ReferenceMissing, match="other"):
            subject.seal("other", "p", TEXT)
        with pytest.raises(ReferenceMissing, match="other"):
            subject.open("other", "p", subject.seal("acme", "p", TEXT))


class TestDerivedDataKeys:
    def test_opens_old_payloads_after_a_rotation(self) -> None:
        sealed = TenantCipher(DerivedDataKeys(MASTER, key_ids=("k1",))).seal("acme", "run_a", TEXT)
        rotated = TenantCipher(DerivedDataKeys(MASTER, key_ids=("k1", "k2")))
        assert rotated.open("acme", "run_a", sealed) == TEXT
        assert rotated.current_key_id("acme") == "k2"

    def test_opens_nothing_of_a_destroyed_key(self) -> None:
        sealed = TenantCipher(DerivedDataKeys(MASTER, key_ids=("k1",))).seal("acme", "run_a", TEXT)
        with pytest.raises(ReferenceMissing, match="no data key 'k1' for tenant 'acme'"):
            TenantCipher(DerivedDataKeys(MASTER, key_ids=("k2",))).open("acme", "run_a", sealed)

    def test_gives_each_tenant_and_key_id_its_own_key(self) -> None:
        keys = DerivedDataKeys(MASTER, key_ids=("k1", "k2"))
        assert len({keys.key(tenant, key_id) for tenant in ("acme", "other") for key_id in ("k1", "k2")}) == 4

    @pytest.mark.parametrize("key_ids", [(), ("",), ("k" * 64,), ("schlüssel",)])
    def test_refuses_unusable_key_ids(self, key_ids: tuple[str, ...]) -> None:
        with pytest.raises(InvalidInput, match="key ids are"):
            DerivedDataKeys(MASTER, key_ids=key_ids)

    def test_refuses_a_short_master_key(self) -> None:
        with pytest.raises(InvalidInput, match="32 bytes, this one has 31"):
            TenantCipher(MASTER[1:])


class TestDeriveKey:
    def test_tells_apart_purposes_that_concatenate_alike(self) -> None:
        assert derive_key(MASTER, "ab", "c") != derive_key(MASTER, "a", "bc")


def _forged(body: bytes) -> bytes:
    """Seal `body` as it is, flagged as compressed: what only somebody with the key can do."""
    header = struct.pack(">2sBBB", b"SF", 1, 1, 2) + b"k1"
    key = derive_key(DerivedDataKeys(MASTER).key("acme", "k1"), "place", "run_a")
    nonce = bytes(12)
    return header + nonce + AESGCM(key).encrypt(nonce, body, header + joined("acme", "run_a"))
