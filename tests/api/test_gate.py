"""A route behind the gate is found without being analysed, and analysed once."""

import pytest

from tests.api.gateway import Gateway


class TestGatedRoute:
    def test_is_analysed_when_it_is_first_used(self, house: Gateway) -> None:
        assert not any("dependant" in vars(route) for route in house.app.routes)
        assert house.client("viewer").get("/v1/principal").status_code == 200
        assert [vars(route)["path"] for route in house.app.routes if "dependant" in vars(route)] == ["/v1/principal"]

    def test_is_not_analysed_to_refuse_a_request(self, house: Gateway) -> None:
        client = house.client("viewer")
        assert [client.get("/v1/unknown").status_code, client.put("/v1/principal").status_code] == [404, 405]
        assert not any("dependant" in vars(route) for route in house.app.routes)

    def test_has_nothing_that_fastapi_does_not_give(self, house: Gateway) -> None:
        with pytest.raises(AttributeError):
            getattr(house.app.routes[0], "unheard_of")  # noqa: B009  # the attribute is no attribute, which is the test
