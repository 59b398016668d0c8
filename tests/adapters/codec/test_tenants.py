"""The registry of workflows and their tenants."""

import pytest

from adapters.codec.tenants import TenantRegistry
from domain.errors import Forbidden, StandfastError


class TestTenantRegistry:
    def test_names_the_bound_tenant(self) -> None:
        tenants = TenantRegistry(default_tenant="default")
        tenants.bind("run_a", "acme")
        assert (tenants.tenant_of("run_a"), tenants.tenant_of("run_b")) == ("acme", "default")

    def test_refuses_an_unknown_workflow_without_a_default(self) -> None:
        with pytest.raises(StandfastError, match="no tenant is known for workflow 'run_a': call TenantRegistry"):
            TenantRegistry().tenant_of("run_a")

    def test_refuses_to_hand_a_workflow_to_another_tenant(self) -> None:
        tenants = TenantRegistry()
        tenants.bind("run_a", "acme")
        tenants.bind("run_a", "acme")
        with pytest.raises(Forbidden):
            tenants.bind("run_a", "other")

    def test_forgets_the_least_recently_used(self) -> None:
        tenants = TenantRegistry(default_tenant="forgotten", capacity=2)
        tenants.bind("run_a", "acme")
        tenants.bind("run_b", "acme")
        tenants.tenant_of("run_a")
        tenants.bind("run_c", "acme")
        assert [tenants.tenant_of(run) for run in ("run_a", "run_b", "run_c")] == ["acme", "forgotten", "acme"]
