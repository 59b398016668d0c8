"""Hand-written workflows enter by entry points, and what is none is refused by name."""

from importlib.metadata import EntryPoint

import pytest

from domain.errors import InvalidInput
from examples.trip_saga.workflows import Car, Trip
from wiring.workflow_plugins import GROUP, plugin_workflows


def point(name: str, value: str) -> EntryPoint:
    """Build an entry point."""
    return EntryPoint(name=name, value=value, group=GROUP)


class TestPluginWorkflows:
    def test_are_loaded_in_the_order_of_their_names(self) -> None:
        found = [point("trip", "examples.trip_saga.workflows:Trip"), point("car", "examples.trip_saga.workflows:Car")]
        assert plugin_workflows(found=found) == [Car, Trip]

    def test_are_none_where_none_is_installed(self) -> None:
        assert plugin_workflows(found=[]) == []

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("examples.trip_saga.workflows:booking_of", "is no workflow"),
            ("examples.trip_saga.nowhere:Trip", "cannot be loaded"),
            ("examples.trip_saga.workflows:Nothing", "cannot be loaded"),
        ],
    )
    def test_that_are_none_are_refused_by_name(self, value: str, message: str) -> None:
        with pytest.raises(InvalidInput, match=f"trip = {value} {message}"):
            plugin_workflows(found=[point("trip", value)])
