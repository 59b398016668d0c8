"""The watch over tool calls finds what is planted among usual calls, says little of those, and forgets nothing between rounds."""

from collections import Counter
from collections.abc import Iterator

import pytest

from domain.tool_anomalies import AnomalyKind, Baseline, Watch, WatchedCall
from domain.tool_audit import CallVerdict
from tests.domain.tool_traffic import Traffic, mixed, planted

SEEDS = (1, 20260321)
USUAL = 10_000
EACH = 50


def look_at_all(seed: int) -> tuple[dict[AnomalyKind, float], float]:
    """Return the share of planted anomalies that was found, by kind, and the share of usual calls that was reported."""
    watches: dict[str, Watch] = {}
    found: dict[AnomalyKind, set[int]] = {kind: set() for kind in AnomalyKind}
    false = usual = 0
    for case in mixed(seed, usual=USUAL, each=EACH):
        watch = watches.setdefault(case.call.tool, Watch(Baseline()))
        reported = watch.look(case.call)
        if case.planted is None:
            usual += 1
            false += bool(reported)
        elif any(anomaly.kind is case.planted[0] for anomaly in reported):
            found[case.planted[0]].add(case.planted[1])
    return {kind: len(numbers) / EACH for kind, numbers in found.items()}, false / usual


def teach(watch: Watch, calls: Iterator[WatchedCall]) -> None:
    """Let a watch see the usual calls of the tool that anomalies are planted in."""
    for call in calls:
        if call.tool == "pay":
            watch.look(call)


class TestTheWatch:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_finds_seven_kinds_among_ten_thousand_calls_and_reports_few_usual_ones(self, seed: int) -> None:
        recall, false = look_at_all(seed)
        assert len(recall) == 7
        assert min(recall.values()) >= 0.95, recall
        assert false < 0.01, false

    def test_says_nothing_before_it_has_learned_what_is_usual(self) -> None:
        traffic, watch = Traffic(3), Watch(Baseline())
        assert not [anomaly for kind in AnomalyKind for call in planted(traffic, kind, 1)[:20] for anomaly in watch.look(call)]

    def test_goes_on_from_a_stored_baseline(self) -> None:
        traffic, watch = Traffic(4), Watch(Baseline())
        teach(watch, traffic.usual(1500))
        again = Watch(Baseline.model_validate_json(watch.baseline.model_dump_json()))
        odd = planted(traffic, AnomalyKind.DESTINATION, 1)[0]
        assert [anomaly.kind for anomaly in again.look(odd)] == [AnomalyKind.DESTINATION]
        assert not again.look(odd), "a site that was reported is known"

    def test_a_burst_is_reported_once_in_its_minute(self) -> None:
        traffic, watch = Traffic(5), Watch(Baseline())
        teach(watch, traffic.usual(1500))
        kinds = Counter(anomaly.kind for call in planted(traffic, AnomalyKind.RATE, 1) for anomaly in watch.look(call))
        assert 1 <= kinds[AnomalyKind.RATE] <= 2, "at most once in each of the two minutes it may touch"

    def test_calls_that_were_stopped_before_are_no_use_of_the_tool(self) -> None:
        traffic, watch = Traffic(6), Watch(Baseline())
        teach(watch, traffic.usual(300))
        odd = planted(traffic, AnomalyKind.COST, 1)[0].model_copy(update={"verdict": CallVerdict.QUARANTINED})
        assert not watch.look(odd)

    def test_a_tool_that_fetches_any_page_is_not_reported_for_a_new_one(self) -> None:
        traffic, watch = Traffic(7), Watch(Baseline())
        reported = [found for _ in range(600) for found in watch.look(traffic.one(f"run_{traffic.seq // 4}", tool="fetch"))]
        assert AnomalyKind.DESTINATION not in {found.kind for found in reported}
