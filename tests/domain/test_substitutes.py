"""Who may decide in whose place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.principals import Principal, Role
from domain.substitutes import Authority, Represented, Substitution, authority, reviewer_roles_now

LEAD, CLERK = "claims-lead", "claims-clerk"


def person(name: str, *roles: str, role: Role = Role.APPROVER) -> Principal:
    """Build a principal."""
    return Principal(id=f"prn_{name}", tenant="default", role=role, reviewer_roles=roles)


ADA, BO = person("ada", LEAD, CLERK), person("bo")
FOR_ADA = Represented(reviewer=ADA)


def decides(principal: Principal, *represented: Represented, asked: tuple[str, ...] = (LEAD,), requester: str = "prn_x") -> Authority:
    """Ask for the authority over an approval."""
    return authority(principal, represented, asked, requester=requester, exclude_requester=True)


class TestAuthority:
    def test_is_ones_own_where_one_has_the_role(self) -> None:
        assert decides(person("cy", LEAD), FOR_ADA, asked=(CLERK, LEAD)) == Authority((LEAD,))

    def test_is_the_reviewers_for_a_substitute(self) -> None:
        assert decides(BO, FOR_ADA, asked=(CLERK, LEAD, "other")) == Authority((CLERK, LEAD), acting_for="prn_ada")

    def test_is_no_more_than_was_lent(self) -> None:
        lent = Represented(reviewer=ADA, roles=(CLERK, "board"))
        assert decides(BO, lent) == Authority(())
        assert decides(BO, lent, asked=("board",)) == Authority(())
        assert decides(BO, lent, asked=(CLERK,)).acting_for == "prn_ada"

    def test_is_no_more_than_the_reviewer_has_now(self) -> None:
        assert decides(BO, Represented(reviewer=person("ada"))) == Authority(())
        assert decides(BO, Represented(reviewer=person("ada", LEAD, role=Role.VIEWER))) == Authority(())

    def test_needs_a_platform_role_that_decides(self) -> None:
        assert decides(person("bo", LEAD, role=Role.OPERATOR), FOR_ADA) == Authority(())

    def test_never_lets_requesters_decide_in_anothers_place(self) -> None:
        assert decides(BO, FOR_ADA, requester="prn_bo") == Authority(())

    def test_never_lets_anybody_decide_in_the_requesters_place(self) -> None:
        assert decides(BO, FOR_ADA, requester="prn_ada") == Authority(())
        other = Represented(reviewer=person("cy", LEAD))
        assert decides(BO, FOR_ADA, other, requester="prn_ada").acting_for == "prn_cy"

    def test_lets_requesters_decide_where_they_are_not_excluded(self) -> None:
        found = authority(BO, [FOR_ADA], [LEAD], requester="prn_bo", exclude_requester=False)
        assert found.acting_for == "prn_ada"

    @given(
        own=st.sets(st.sampled_from("abc")),
        theirs=st.sets(st.sampled_from("abc")),
        lent=st.sets(st.sampled_from("abc")),
        asked=st.lists(st.sampled_from("abc"), unique=True),
        requester=st.sampled_from(["prn_me", "prn_them", "prn_x"]),
    )
    def test_is_always_backed_by_somebody_else_than_the_requester(
        self, *, own: set[str], theirs: set[str], lent: set[str], asked: list[str], requester: str
    ) -> None:
        me, them = person("me", *own), person("them", *theirs)
        found = authority(me, [Represented(reviewer=them, roles=tuple(lent))], asked, requester=requester, exclude_requester=True)
        if found.roles:
            backing = own if found.acting_for is None else theirs & (lent or theirs)
            assert set(found.roles) <= backing & set(asked)
            assert requester not in {"prn_me", found.acting_for}


class TestReviewerRolesNow:
    def test_are_own_and_lent_ones_each_once(self) -> None:
        assert reviewer_roles_now(person("bo", CLERK), [FOR_ADA, FOR_ADA]) == (CLERK, LEAD)


class TestSubstitution:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"until": "2026-03-01T00:00:00Z"}, "ends after it begins"),
            ({"until": "2028-03-01T00:00:00Z"}, "within 366 days"),
            ({"substitute": "prn_ada"}, "somebody else"),
        ],
    )
    def test_says_what_is_wrong(self, changes: dict[str, str], said: str) -> None:
        right = {
            "substitution": "sbs_1",
            "reviewer": "prn_ada",
            "substitute": "prn_bo",
            "since": "2026-03-01T00:00:00Z",
            "until": "2026-03-08T00:00:00Z",
            "set_by": "prn_ada",
            "created_at": "2026-02-01T00:00:00Z",
        }
        with pytest.raises(ValidationError, match=said):
            Substitution.model_validate({**right, **changes})
