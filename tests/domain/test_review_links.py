"""Signed links: what holds, and that nothing else does."""

import json
import random
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codec.head_keys import DerivedHeadKeys
from domain.review_links import (
    LINK_DOMAIN,
    LinkGenerations,
    LinkRefusal,
    LinkRequest,
    ReviewLink,
    expiry_of,
    lapsed,
    read_token,
    signed_token,
    stale,
)

KEYS = DerivedHeadKeys(b"m" * 32, purpose="review-link-signing")
DIGEST = "ab" * 32
OPENED = "2026-01-05T09:00:00.000000Z"
WANTED = LinkRequest(
    tenant="default",
    approval="apr_" + "0" * 26,
    digest=DIGEST,
    reviewer="prn_" + "1" * 26,
    link="lnk_" + "2" * 26,
    opened_at=OPENED,
    deadline="2026-01-06T09:00:00.000000Z",
)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def token(*, generation: int = 1) -> str:
    return signed_token(KEYS, WANTED, generation=generation)


def link() -> ReviewLink:
    found = read_token(KEYS, token())
    assert isinstance(found, ReviewLink)
    return found


def reason(text: str) -> str:
    """Return why a token is refused, or what it was taken for."""
    found = read_token(KEYS, text)
    return found.reason if isinstance(found, LinkRefusal) else f"taken: {found}"


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class TestToken:
    def test_says_what_it_was_made_for(self) -> None:
        found = link()
        assert (found.tenant, found.approval, found.digest, found.reviewer, found.link) == WANTED[:5]
        assert found.expires == datetime(2026, 1, 6, 9, tzinfo=UTC)

    def test_is_the_same_for_the_same_request(self) -> None:
        assert token() == token()

    def test_fits_an_address_and_a_line_of_a_message(self) -> None:
        assert len(token()) < 700
        assert set(token()) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")

    def test_of_an_approval_without_a_deadline_expires_all_the_same(self) -> None:
        assert expiry_of(OPENED, None) == int((datetime(2026, 1, 5, 9, tzinfo=UTC) + timedelta(days=14)).timestamp())

    @pytest.mark.parametrize(
        "text", ["", ".", "..", "1..", "1.e30.", "1.e30.e30", "2" + token()[1:], token() + ".", token()[:-1], "x" * 5000]
    )
    def test_that_is_none_is_refused(self, text: str) -> None:
        assert reason(text) in {"malformed", "altered"}

    @pytest.mark.parametrize("said", [b"[]", b"null", b"{}", b'{"reviewer":"\\ud800"}', b"\xff", b"[" * 1000])
    def test_that_says_nonsense_is_refused_without_an_error(self, said: bytes) -> None:
        assert reason(f"1.{encoded(said)}.{encoded(bytes(64))}") == "malformed"


class TestAlteredToken:
    def test_is_never_taken_however_a_character_changes(self) -> None:
        whole, alphabet = token(), "ABCXYZabcxyz0189-_.=+/ \n\u00e9"
        seen = 0
        for place in range(len(whole)):
            for character in random.Random(place).sample(alphabet, 4):
                if character != whole[place]:
                    seen += 1
                    assert reason(whole[:place] + character + whole[place + 1 :]) in {"malformed", "altered"}
        assert seen >= 1000

    @given(st.data())
    def test_is_never_taken_however_its_bytes_change(self, data: st.DataObject) -> None:
        _, said, signature = token().split(".")
        parts = [bytearray(decoded(said)), bytearray(decoded(signature))]
        which = data.draw(st.integers(0, 1))
        place = data.draw(st.integers(0, len(parts[which]) - 1))
        how = data.draw(st.sampled_from(["flip", "drop", "add"]))
        if how == "flip":
            parts[which][place] ^= data.draw(st.integers(1, 255))
        elif how == "drop":
            del parts[which][place]
        else:
            parts[which].insert(place, data.draw(st.integers(0, 255)))
        text = f"1.{encoded(bytes(parts[0]))}.{encoded(bytes(parts[1]))}"
        assert text == token() or reason(text) in {"malformed", "altered"}

    @pytest.mark.parametrize(
        "change",
        [
            {"tenant": "other"},
            {"approval": "apr_" + "3" * 26},
            {"digest": "cd" * 32},
            {"reviewer": "prn_" + "4" * 26},
            {"link": "lnk_" + "5" * 26},
            {"expires_at": 2**40},
            {"key": 2},
        ],
    )
    def test_is_refused_for_every_field(self, change: dict[str, object]) -> None:
        said = link().model_copy(update=change).canonical()
        assert reason(f"1.{encoded(said)}.{token().split('.')[2]}") == "altered"

    def test_with_a_key_more_or_in_another_form_is_refused(self) -> None:
        said = json.loads(link().canonical())
        forms = [json.dumps(said).encode(), json.dumps({**said, "role": "admin"}, separators=(",", ":"), sort_keys=True).encode()]
        for form in forms:
            signature = KEYS.sign("default", 1, LINK_DOMAIN + form)
            assert reason(f"1.{encoded(form)}.{encoded(signature)}") in {"malformed", "altered"}, "even under our own signature"

    def test_signed_with_another_key_is_refused(self) -> None:
        strangers = (DerivedHeadKeys(b"n" * 32, purpose="review-link-signing"), DerivedHeadKeys(b"m" * 32))
        assert [reason(signed_token(keys, WANTED, generation=1)) for keys in strangers] == ["altered", "altered"]

    def test_signed_for_another_purpose_is_refused(self) -> None:
        said = link().canonical()
        assert reason(f"1.{encoded(said)}.{encoded(KEYS.sign('default', 1, said))}") == "altered"


class TestTimeOfALink:
    def test_is_over_at_its_deadline_and_not_before(self) -> None:
        ends = datetime(2026, 1, 6, 9, tzinfo=UTC)
        assert lapsed(link(), LinkGenerations(), ends - timedelta(seconds=1)) is None
        over = lapsed(link(), LinkGenerations(), ends)
        assert over is not None
        assert (over.reason, "2026-01-06 09:00 UTC" in over.detail) == ("expired", True)

    def test_lasts_over_a_rotation_and_ends_with_a_revocation(self) -> None:
        assert lapsed(link(), LinkGenerations(current=2, oldest=1), NOON) is None
        over = lapsed(link(), LinkGenerations(current=2, oldest=2), NOON)
        assert over is not None
        assert over.reason == "revoked"

    def test_has_not_come_when_its_key_is_of_the_future(self) -> None:
        found = read_token(KEYS, token(generation=7))
        assert isinstance(found, ReviewLink)
        refused = lapsed(found, LinkGenerations(current=2, oldest=1), NOON)
        assert refused is not None
        assert refused.reason == "revoked"


class TestDigestOfALink:
    def test_is_the_one_that_would_run(self) -> None:
        assert stale(link(), DIGEST) is None
        refused = stale(link(), "cd" * 32)
        assert refused is not None
        assert refused.reason == "stale"
