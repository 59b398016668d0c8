"""The definitions of the scenario: a payout that waits for people in one way or another, then reserves and pays at the bank."""

from examples.delay_claim.demo.bundle import read_bundle_files, with_addresses

TOOLS = ("tools/bank-reserve.yaml", "tools/bank-release.yaml", "tools/bank-pay.yaml", "tools/bank-refund.yaml")

KINDS = {
    "plain": "reviewers: {role: claims-clerk}, timeout: 5d, on_timeout: reject",
    "short": "reviewers: {role: claims-clerk}, timeout: 2h, on_timeout: reject",
    "money": "reviewers: {role: finance}, timeout: 5d, on_timeout: reject",
    "lead": "reviewers: {role: claims-lead}, timeout: 5d, on_timeout: reject",
    "pair": "reviewers: {role: claims-clerk, quorum: 2}, timeout: 5d, on_timeout: reject",
    "both": (
        "reviewers: {all: [{role: claims-clerk, quorum: 2}, {role: finance, veto: true}], four_eyes: true}, timeout: 5d, on_timeout: reject"
    ),
    "office": (
        "reviewers: {role: finance}, calendar: office, remind: [2h], escalate: [{after: 4h, to: {role: claims-lead}}], "
        "timeout: 8h, on_timeout: reject"
    ),
}
"""The kinds of payout: what stands in `approve:` beside the title and the bound calls. Only `office` counts working hours."""

OFFICE = {
    "zone": "Europe/Berlin",
    "hours": {day: [{"from": "09:00", "to": "17:00"}] for day in ("mon", "tue", "wed", "thu", "fri")},
}
"""The calendar `office`: its weekend has no working hours."""

_DEFINITION = """\
standfast: 1
name: payout-{kind}
version: 1.0.0
input:
  schema:
    type: object
    required: [claim, amount]
    properties: {{claim: {{type: string}}, amount: {{type: integer, minimum: 1}}}}
do:
  - gate:
      approve: {{title: "Pay ${{ input.amount }} for ${{ input.claim }}?", binds: [settle.reserve, settle.pay], {asked}}}
  - settle:
      saga:
        - reserve:
            call: bank.reserve
            with:
              reservation_id: "res-${{ input.claim }}"
              claim_id: "${{ input.claim }}"
              amount_micros: "${{ input.amount }}"
              currency: USD
            compensate:
              call: bank.release
              with: {{reservation_id: "res-${{ input.claim }}", claim_id: "${{ input.claim }}"}}
              if_unknown: compensate
        - pay:
            call: bank.pay
            with:
              payment_id: "pay-${{ input.claim }}"
              payee: "passenger-of-${{ input.claim }}"
              reservation_id: "res-${{ input.claim }}"
              claim_id: "${{ input.claim }}"
              amount_micros: "${{ input.amount }}"
              currency: USD
            compensate:
              call: bank.refund
              with: {{payment_id: "pay-${{ input.claim }}", claim_id: "${{ input.claim }}"}}
              if_unknown: compensate
output: {{decision: "${{ steps.gate.output.decision }}", payment: "${{ steps.settle.pay.output.payment_id }}"}}
"""


def bundle(kind: str, *, bank_url: str) -> dict[str, str]:
    """Return the bundle of a kind of payout, whose tools call this bank."""
    files = with_addresses(read_bundle_files(), bank_url=bank_url, mail_url="")
    definition = _DEFINITION.format(kind=kind, asked=KINDS[kind])
    return {"payout.yaml": definition} | {name: files[name] for name in TOOLS}
