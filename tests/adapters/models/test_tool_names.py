"""Tool names on their way to a vendor and back."""

import re

from hypothesis import given
from hypothesis import strategies as st

from adapters.models.tool_names import ToolNames, vendor_tool_name

NAMES = st.one_of(st.from_regex(r"[a-z][a-z0-9_]{0,3}(\.[a-z0-9_-]{1,3}){0,3}", fullmatch=True), st.text(min_size=1, max_size=90))


class TestToolNames:
    """The mapping."""

    @given(st.lists(NAMES, unique=True, max_size=8))
    def test_come_back_whatever_they_are(self, names: list[str]) -> None:
        mapped = ToolNames(names)
        assert [mapped.from_vendor(vendor_tool_name(name)) for name in names] == names

    @given(NAMES)
    def test_are_what_vendors_allow(self, name: str) -> None:
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", vendor_tool_name(name))

    def test_stay_readable(self) -> None:
        assert vendor_tool_name("flights.lookup") == "flights-lookup"
        assert vendor_tool_name("an-mcp tool").startswith("an_mcp_tool--")

    def test_that_were_invented_never_become_another_tool(self) -> None:
        assert ToolNames(["a-b"]).from_vendor("a-b") == "a.b"
