"""The principals of a development stack are a contract: README, clients and the demo use them by name."""

from domain.principals import Role
from wiring.dev_stack import DEV_PRINCIPALS


class TestDevPrincipals:
    def test_are_the_seven_promised_ones(self) -> None:
        names = [principal.name for principal in DEV_PRINCIPALS]
        assert sorted(names) == ["admin", "approver", "approver_2", "auditor", "developer", "operator", "viewer"]

    def test_have_the_role_they_are_named_after(self) -> None:
        assert {p.name: p.role for p in DEV_PRINCIPALS if p.name != "approver_2"} == {role.value: role for role in Role}

    def test_include_two_people_who_may_decide_each_others_requests(self) -> None:
        reviewers = {p.name for p in DEV_PRINCIPALS if p.role is Role.APPROVER and "claims-approver" in p.reviewer_roles}
        assert reviewers == {"approver", "approver_2"}
