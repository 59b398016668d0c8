"""The lookup tells what the table says, and why it has nothing to say."""

from pathlib import Path

import pytest

from examples.delay_claim.lookup import FlightFound, look_up_flight, months_loaded

HEADER = "year,month,day,carrier,flight,origin,dest,sched_dep_time,sched_arr_time,dep_delay,arr_delay\n"


def found(carrier: str, flight: int, date: str) -> FlightFound:
    """Look up a flight that must be there."""
    answer = look_up_flight(carrier, flight, date)
    assert answer["found"] is True, answer
    return answer


class TestLookUpFlight:
    """Rows of the real January table."""

    def test_returns_the_whole_row_of_a_flown_flight(self) -> None:
        assert found("EV", 4250, "2013-01-14") == {
            "found": True,
            "carrier": "EV",
            "carrier_name": "ExpressJet Airlines Inc.",
            "flight": 4250,
            "date": "2013-01-14",
            "origin": "EWR",
            "dest": "IND",
            "scheduled_departure": "10:06",
            "scheduled_arrival": "12:19",
            "departure_delay_minutes": 135,
            "arrival_delay_minutes": 145,
            "status": "flown",
            "cancelled": False,
        }

    def test_an_arrival_after_midnight_is_a_proper_clock_time(self) -> None:
        assert found("B6", 43, "2013-01-21")["scheduled_arrival"] == "00:24"

    def test_an_early_flight_has_negative_delays(self) -> None:
        assert found("B6", 43, "2013-01-21")["departure_delay_minutes"] == -3

    def test_a_cancelled_flight_has_no_delays(self) -> None:
        flight = found("US", 487, "2013-01-24")

        assert (flight["status"], flight["cancelled"], flight["departure_delay_minutes"]) == ("cancelled", True, None)

    def test_a_diverted_flight_left_but_has_no_arrival_delay(self) -> None:
        flight = found("9E", 3375, "2013-01-16")

        assert (flight["status"], flight["cancelled"]) == ("diverted", False)
        assert (flight["departure_delay_minutes"], flight["arrival_delay_minutes"]) == (187, None)

    def test_a_flight_that_never_flew_is_not_in_the_table(self) -> None:
        answer = look_up_flight("UA", 9042, "2013-01-17")

        assert (answer["found"], answer.get("reason")) == (False, "not-in-table")

    def test_another_origin_than_the_flights_is_not_in_the_table(self) -> None:
        assert look_up_flight("EV", 4250, "2013-01-14", "EWR")["found"]
        assert look_up_flight("EV", 4250, "2013-01-14", "JFK").get("reason") == "not-in-table"

    def test_codes_are_read_in_any_case(self) -> None:
        assert look_up_flight("ev", 4250, "2013-01-14", "ewr")["found"]

    @pytest.mark.parametrize(
        ("carrier", "date", "origin", "named"),
        [
            ("UAL", "2013-01-01", None, "carrier"),
            ("UA", "1/1/2013", None, "date"),
            ("UA", "2013-02-30", None, "date"),
            ("UA", "2013-01-01", "NY", "origin"),
        ],
    )
    def test_a_malformed_argument_is_named(self, carrier: str, date: str, origin: str | None, named: str) -> None:
        with pytest.raises(ValueError, match=f"^{named} "):
            look_up_flight(carrier, 1, date, origin)


class TestMonths:
    """The lookup reads whatever months are there."""

    def test_a_month_that_is_not_here_is_not_taken_for_a_flight_that_never_flew(self, tmp_path: Path) -> None:
        answer = look_up_flight("UA", 1, "2013-05-01", data=tmp_path)

        assert answer.get("reason") == "month-not-loaded"

    def test_a_month_that_is_added_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "flights-2013-05.csv").write_text(f"{HEADER}2013,5,1,UA,1,EWR,SFO,600,930,61,75\n", encoding="utf-8")

        answer = look_up_flight("UA", 1, "2013-05-01", data=tmp_path)

        assert answer["found"] is True
        assert (answer["arrival_delay_minutes"], answer["carrier_name"]) == (75, "UA")
        assert months_loaded(tmp_path) == ["2013-05"]

    def test_a_number_used_twice_in_a_day_asks_for_the_origin(self, tmp_path: Path) -> None:
        rows = "2013,8,3,WN,2269,EWR,MDW,600,730,1,2\n2013,8,3,WN,2269,LGA,STL,900,1100,3,4\n"
        (tmp_path / "flights-2013-08.csv").write_text(HEADER + rows, encoding="utf-8")

        answer = look_up_flight("WN", 2269, "2013-08-03", data=tmp_path)
        named = look_up_flight("WN", 2269, "2013-08-03", "LGA", data=tmp_path)

        assert (answer.get("reason"), answer.get("origins")) == ("several-legs", ["EWR", "LGA"])
        assert named.get("dest") == "STL"
