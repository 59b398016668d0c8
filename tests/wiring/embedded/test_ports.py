"""Which ports are chosen: never one that the kernel gives away by itself."""

import itertools
from pathlib import Path

import pytest

from wiring.embedded.port_claims import claimed_ports
from wiring.embedded.ports import free_ports, kernels_range, port_or_free, random_ports


class TestChosenPorts:
    def test_are_different_and_outside_the_range_of_the_kernel(self) -> None:
        kernels = kernels_range()
        with claimed_ports(20) as claimed:
            for ports in (free_ports(20), claimed):
                assert len(set(ports)) == 20
                assert [port for port in ports if port in kernels or port < 1024] == []

    def test_are_another_one_when_the_wanted_one_is_taken(self) -> None:
        (wanted,) = free_ports(1)
        taken = {wanted}
        other = port_or_free(wanted, taken)
        assert other != wanted
        assert taken == {wanted, other}

    def test_come_from_the_kernel_where_its_range_leaves_too_few(self) -> None:
        ports = list(itertools.islice(random_ports(range(1024, 65536)), 3))
        assert [port for port in ports if port not in kernels_range()] == []


class TestRangeOfTheKernel:
    def test_is_read_from_its_setting(self, tmp_path: Path) -> None:
        setting = tmp_path / "ip_local_port_range"
        setting.write_text("20000\t40000\n", encoding="ascii")
        assert kernels_range(setting) == range(20000, 40001)

    @pytest.mark.parametrize("text", [None, "", "many"])
    def test_is_the_usual_one_where_no_setting_says_it(self, tmp_path: Path, text: str | None) -> None:
        setting = tmp_path / "ip_local_port_range"
        if text is not None:
            setting.write_text(text, encoding="ascii")
        assert kernels_range(setting) == range(49152, 65536)
