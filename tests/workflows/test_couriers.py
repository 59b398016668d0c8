"""What the courier does without a server."""

from workflows.couriers import SUMMARY_BYTES, brief


class TestBrief:
    def test_cuts_at_a_whole_character(self) -> None:
        cut = brief("ä" * 200)
        assert len(cut.encode()) <= SUMMARY_BYTES
        assert set(cut) == {"ä"}

    def test_leaves_a_short_text(self) -> None:
        assert brief("pay: bank.pay") == "pay: bank.pay"
