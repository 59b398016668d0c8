"""The golden corpus of expressions: what each must give, byte for byte, in every process and under every hash seed.

Run as a program it prints the canonical JSON of all results.
"""

import sys
from typing import Final

from pydantic import JsonValue

from domain.canonical import canonical_bytes
from domain.errors import ExpressionFailed
from domain.expressions import render

CONTEXT: Final[dict[str, JsonValue]] = {
    "input": {
        "claim": {"passenger": "Zoë 😀", "amount": 250_000_000, "minutes": 187, "ratio": 1.5, "none": None},
        "tags": ["b", "a", "c"],
        "legs": [{"from": "JFK", "late": 12}, {"from": "EWR", "late": 65}],
        "map": {f"k{n}": n for n in range(20)},
        "big": 2**53 - 1,
    },
    "config": {"limit": 100_000_000, "rates": {"usd": 1.0, "eur": 1.0833}},
    "steps": {
        "review": {"status": "succeeded", "output": {"amount": 250, "verdict": "pay"}},
        "settle": {"status": "entered", "reserve": {"status": "succeeded", "output": {"id": "r-1"}}},
    },
    "self": {"output": {"id": "p-1"}, "arguments": {"amount": 1}},
}

TEMPLATES: Final[list[JsonValue]] = [
    "${ input.claim.amount > config.limit }",
    "${ input.claim }",
    "${ input.map }",
    {"b": "${ input.map }", "a": ["${ input.tags }", "${ input.tags.map(t, t + '!') }"]},
    "Pay ${ input.claim.amount } to ${ input.claim.passenger }, late ${ input.claim.minutes / 60 } h",
    "${ input.map } and ${ input.claim.none }|${ true }|${ 1.0 }|${ 0.1 + 0.2 }",
    "${ input.legs.filter(leg, leg.late > 15).map(leg, leg.from) }",
    "${ input.legs.exists(leg, input.tags.exists(t, t == 'a' && leg.late == 65)) }",
    "${ input.legs.all(leg, leg.late > 0) && input.tags.exists_one(t, t == 'b') }",
    "${ has(steps.missing) || has(steps.review.output.amount) }",
    "${ {'z': 1, 'a': {'y': 2, 'b': [3]}} }",
    "${ timestamp('2013-01-05T06:07:08Z').getHours('+02:00') }",
    "${ string(timestamp('2013-01-05T06:07:08.123456Z')) }",
    "${ int(timestamp('2013-01-05T06:07:08Z')) + int(duration('1h30m').getSeconds()) }",
    "${ size(input.claim.passenger) } ${ 'Zoë'.matches('^Z.ë$') } ${ 'a' in input.tags } ${ 'k3' in input.map }",
    "${ input.claim.ratio * 2.0 + double(input.claim.minutes) }",
    "${ -7 / 2 } ${ -7 % 2 } ${ 7u } ${ 1e300 } ${ 5.0 }",
    "${ input.big } ${ input.map == input.map } ${ input.claim.ratio == 1.5 }",
    "$${ not an expression } ${ '}' + \"{\" + r'\\d' }",
    "${ steps.settle.reserve.output.id + self.output.id }",
    "${ input.map.map(k, k) }",
    "${ input.map.exists(k, k == 'k1') }",
    "${ [input.tags, input.map].map(x, x.map(y, y)) }",
    "${ {'a': 1}.all(k, true) }",
    "${ input.absent }",
    "${ input.claim.amount.x }",
    "${ input.big + 1 }",
    "${ 9223372036854775807 + 1 }",
    "${ 1 / 0 }",
    "${ 1.0 / 0.0 }",
    "${ timestamp('2013-01-05T06:07:08Z') }",
    "${ b'bytes' }",
    "${ duration('1s') }",
    "${ type(1) }",
    "${ {1: 2} }",
    "${ [1, 2][5] }",
    "${ int('x') }",
    "${ timestamp('2013-01-05T06:07:08Z').getHours('America/New_York') }",
    "${ input.tags.map(input, input) }",
    "${ unknown }",
    "${ 1 + }",
]


def outcome(template: JsonValue) -> JsonValue:
    """Return `{value}` or `{failed}` of one template."""
    try:
        return {"value": render(template, CONTEXT)}
    except ExpressionFailed as error:
        return {"failed": error.detail}


def corpus_bytes() -> bytes:
    """Return the canonical JSON of every template and its outcome, one a line."""
    lines: list[JsonValue] = [{"template": template, **_mapping(outcome(template))} for template in TEMPLATES]
    return b"".join(canonical_bytes(line) + b"\n" for line in lines)


def _mapping(value: JsonValue) -> dict[str, JsonValue]:
    assert isinstance(value, dict)
    return value


if __name__ == "__main__":
    sys.stdout.buffer.write(corpus_bytes())
