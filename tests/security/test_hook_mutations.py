"""B19: requests that are almost right. None of more than 2,000 does anything, whatever is changed of a good one."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import get_args

import pytest
from pydantic import JsonValue

from api.json_body import BODY_BYTES_MAX
from api.permissions import OPEN_ROUTES
from domain.hook_verifiers import VERIFIERS, Scheme, new_secret, secret_key, sign
from tests.api.gateway import CLAIM, Gateway, drafts_of, gateway
from tests.api.hook_bench import SCHEMES, START, Sender, Sent, post, register

EACH = 560
"""Mutations of each scheme: 2,240 in all."""

SEED = 19

BODY: dict[str, JsonValue] = {"claim": "c-1", "sum": 5, "note": "grüße", "paid": True, "parts": [1, 2.5, None]}

UNSIGNED = frozenset({b"x-github-delivery", b"x-github-event"})
"""What GitHub sends and does not sign: changed in a request that nobody has seen yet, nobody can tell."""

REFUSED = frozenset({400, 401, 404, 413})

Mutation = Callable[[Sent, random.Random], Sent]


def effects(house: Gateway) -> tuple[int, int, int, int]:
    """Count all that a request could have done: runs, started workflows, rows, dead letters."""
    stores = house.stores
    return len(stores.database.runs), len(house.temporal.started), len(stores.hook_requests.rows), len(stores.dead_letters.letters)


def flipped(value: bytes, dice: random.Random) -> bytes:
    """Flip one bit."""
    place = dice.randrange(len(value))
    return value[:place] + bytes([value[place] ^ (1 << dice.randrange(8))]) + value[place + 1 :]


def flipped_text(value: bytes, dice: random.Random) -> bytes:
    """Flip one bit of a header such that a client still sends it: printable ASCII, no blank at an end."""
    while True:
        other = flipped(value, dice)
        if other.isascii() and other.decode().isprintable() and other.strip() == other:
            return other


def header_flip(sent: Sent, dice: random.Random) -> Sent:
    """Flip a bit of a header that is signed."""
    name, value = dice.choice([pair for pair in sent.headers if pair[0] not in UNSIGNED])
    return sent.with_header(name.decode(), flipped_text(value, dice))


def body_flip(sent: Sent, dice: random.Random) -> Sent:
    """Flip a bit of the body."""
    return sent.with_body(flipped(sent.body, dice))


def body_cut(sent: Sent, dice: random.Random) -> Sent:
    """Cut the body off, or add to it."""
    place = dice.randrange(len(sent.body))
    return sent.with_body(dice.choice((sent.body[:place], sent.body + b" ", sent.body + b"\0", b" " + sent.body, b"", sent.body * 2)))


def serialised_anew(sent: Sent, dice: random.Random) -> Sent:
    """Say the same in other bytes, as a proxy that parses would."""
    value = json.loads(sent.body)
    keys = list(value)
    dice.shuffle(keys)
    forms = (
        json.dumps(value, separators=(",", ":")),
        json.dumps(value, ensure_ascii=False),
        json.dumps(value, indent=dice.randrange(1, 8)),
        json.dumps({key: value[key] for key in keys}, indent=1),
        json.dumps(value, sort_keys=True, ensure_ascii=False),
    )
    return sent.with_body(dice.choice(forms).encode())


def header_gone(sent: Sent, dice: random.Random) -> Sent:
    """Leave out a header, send it twice, or send it empty."""
    name, value = dice.choice([pair for pair in sent.headers if pair[0] != b"x-github-event"])
    if dice.random() < 0.4:
        return sent.with_header(name.decode(), None)
    if dice.random() < 0.5:
        return Sent(sent.address, [*sent.headers, (name, value)], sent.body)
    return sent.with_header(name.decode(), b"")


def signature_spelled_otherwise(sent: Sent, dice: random.Random) -> Sent:
    """Change the signature's form: case, mark, padding, length."""
    name = next(n for n, _ in sent.headers if b"signature" in n)
    value = sent.value(name.decode())
    forms = (value.upper(), value.swapcase(), value[:-1], value + b"A", value.replace(b"v1", b"v2"), value.replace(b"v0", b"v1"))
    more = (value.replace(b"sha256", b"sha1"), value.replace(b"=", b":", 1), value.replace(b",", b";"), value[dice.randrange(1, 12) :])
    changed = [form for form in (*forms, *more) if form != value]
    return sent.with_header(name.decode(), dice.choice(changed))


GENERIC: tuple[Mutation, ...] = (body_flip, body_cut, serialised_anew, header_flip, header_gone, signature_spelled_otherwise)


@pytest.fixture(scope="module", name="house")
def _house() -> Gateway:
    built = gateway()
    built.register(drafts_of(CLAIM)[0], tenant="other")
    return built


def mutants(sender: Sender, dice: random.Random) -> Iterator[tuple[str, Sent]]:
    """Yield changed forms of good requests, each of one that was never sent: no repetition hides that one is taken."""
    for number in range(EACH):
        mutation, good = GENERIC[number % len(GENERIC)], sender.make(f"new-{number}", {**BODY, "number": number})
        changed = mutation(good, dice)
        if (changed.headers, changed.body) != (good.headers, good.body):
            yield mutation.__name__, changed


def forgeries(sender: Sender, rival: Sender, dice: random.Random) -> Iterator[tuple[str, Sent]]:
    """Yield requests that are well formed and not to be believed, all of them new."""
    for number in range(12):
        name, body = f"new-{number}", {**BODY, "number": number}
        yield "another tenant's secret", sender.make(name, body, secret=rival.secret)
        yield "a secret nobody has", sender.make(name, body, secret=new_secret(sender.scheme, dice.randbytes(32)))
        if VERIFIERS[sender.scheme].timed:
            yield "301 s old", sender.make(name, body, age_s=301 + number)
            yield "301 s early", sender.make(name, body, age_s=-301 - number)
            late = sender.make(name, body, age_s=400)
            stamp = str(int(sender.house.stores.database.time.timestamp())).encode()
            stamped = "stripe-signature" if sender.scheme == "stripe" else VERIFIERS[sender.scheme].time
            fresh = late.value(stamped).replace(str(int(stamp) - 400).encode(), stamp)
            yield "a new time on an old signature", late.with_header(stamped, fresh)
        other = SCHEMES[(SCHEMES.index(sender.scheme) + 1 + number % 3) % 4]
        key = secret_key(sender.scheme, sender.secret)
        body_bytes = json.dumps(body).encode()
        signed = sign(other, key, webhook_id=name, time=str(int(sender.house.stores.database.time.timestamp())), body=body_bytes)
        yield "another scheme", Sent(sender.address, [(n.encode(), v.encode()) for n, v in signed.items()], body_bytes)
        elsewhere = rival.make(name, body)
        yield "sent to another hook", Sent(sender.address, elsewhere.headers, elsewhere.body)
        if VERIFIERS[sender.scheme].id:
            yield "a dot in the id", sender.make(f"new.{number}", body)
            yield "an id that holds the time", sender.make(f"new-{number}.{number}", body)
        yield "huge", sender.make(name, raw=b'{"claim":"' + b"x" * (BODY_BYTES_MAX + number) + b'"}')
        yield "no hook there", replace(sender.make(name, body), address=f"/hooks/hok_{dice.randrange(10**25):026d}")


class TestMutatedRequests:
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_none_is_accepted(self, house: Gateway, scheme: str) -> None:
        dice = random.Random(f"{SEED}-{scheme}")
        sender = register(house, scheme, name=f"own-{scheme}")  # pyright: ignore[reportArgumentType] - a scheme by its name
        rival = register(house, scheme, who="stranger", name=f"rival-{scheme}")  # pyright: ignore[reportArgumentType] - the same
        assert sender.send("evt-1", BODY).json()["state"] == "started"
        before = effects(house)
        tried = 0
        for what, sent in (*mutants(sender, dice), *forgeries(sender, rival, dice)):
            answer = post(house, sent)
            tried += 1
            assert answer.status_code in REFUSED, (what, sent.headers, sent.body[:200], answer.text)
            assert effects(house) == before, (what, sent.headers, sent.body[:200])
        assert tried >= 540
        assert sender.send("evt-2", {**BODY, "claim": "c-2"}).json()["state"] == "started"

    def test_a_replay_later_gets_the_first_answer_and_does_nothing(self, house: Gateway) -> None:
        for scheme in SCHEMES:
            sender = register(house, scheme, name=f"replayed-{scheme}")
            first = sender.make("evt-1", BODY)
            told = sender.post(first)
            before = effects(house)
            again = [sender.post(first), sender.post(sender.make("evt-1", BODY, age_s=-100))]
            assert [answer.content for answer in again] == [told.content] * 2
            assert effects(house) == before

    def test_a_replay_beyond_the_tolerance_is_refused(self, house: Gateway) -> None:
        sender = register(house, "standard-webhooks", name="late")
        sent = sender.make("evt-1", BODY)
        sender.post(sent)
        house.stores.database.pass_time(seconds=600)
        try:
            assert sender.post(sent).status_code == 401
        finally:
            house.stores.database.pass_time(seconds=-600)

    def test_what_is_not_signed_cannot_make_a_known_body_new(self, house: Gateway) -> None:
        dice = random.Random(SEED)
        sender = register(house, "github", name="unsigned-id")
        sent = sender.make("72d3162e-cc78-11e3-81ab-4c9367dc0958", BODY)
        told = sender.post(sent)
        before = effects(house)
        for _ in range(60):
            name = dice.choice(sorted(UNSIGNED))
            answer = sender.post(sent.with_header(name.decode(), flipped_text(sent.value(name.decode()), dice)))
            assert answer.status_code == 401 or answer.content == told.content
            assert effects(house) == before

    def test_only_post_is_a_way_in(self, house: Gateway) -> None:
        sender = register(house, "standard-webhooks", name="methods", action=START)
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            answer = house.client(None).request(method, sender.address)
            assert answer.status_code == 405


class TestVerifiers:
    def test_stand_before_every_way_in(self, house: Gateway) -> None:
        """Each hook names a scheme, each scheme has a verifier, and theirs is the one open route of hooks (PROOF 9.1)."""
        assert set(VERIFIERS) == set(get_args(Scheme)) == set(SCHEMES)
        assert all(verifier.signature for verifier in VERIFIERS.values())
        assert [path for _, path in OPEN_ROUTES if "hook" in path] == ["/hooks/{source}"]
        body = {"name": "no-scheme", "action": START}
        assert house.client("developer").post("/v1/hooks", json=body).json()["errors"][0]["where"] == "/scheme"
