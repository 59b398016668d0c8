"""The grammar of who is asked and when: reviewers, reminders, the escalation ladder, the form, the calendar of an `approve:`. Pure."""

import re
from typing import Final, cast

from pydantic import JsonValue

from domain.approval_rules import Moment, OnTimeout, ReviewerGroup, Reviewers, Rung
from domain.definition_keywords import GROUP_KEYS, QUESTIONS, QUORUM_MAX, REVIEWER_KEYS, RUNG_KEYS, TO_KEYS, duration_s
from domain.definition_parts import DocPath
from domain.definition_reader import DocumentReader, Node

_CALENDAR: Final = re.compile(r"[a-z][a-z0-9-]{0,62}[a-z0-9](@[1-9][0-9]*)?")
"""A calendar's name, with a version if one is meant."""

_REMIND_MAX: Final = 50
_RUNGS_MAX: Final = 20
"""Reminders and rungs together, with a deadline for each rung, stay below what a calendar resolves at once."""


class ApprovalReader(DocumentReader):
    """Reads what an `approve:` says about people and time."""

    def asking(self, node: Node, path: DocPath, timeout_s: float | None) -> dict[str, object]:
        """Return the fields of an ApproveStep that say who is asked, when, and what a yes has to bring."""
        role, exclude, reviewers = self._reviewers(node.get("reviewers"), (*path, "reviewers"))
        on_timeout = cast("OnTimeout", self.choice(node, "on_timeout", path, ("reject", "approve", "fail", "escalate")))
        return {
            "reviewer_role": role,
            "exclude_requester": exclude,
            "reviewers": reviewers,
            "on_timeout": on_timeout,
            "remind_s": self._reminders(node, path, timeout_s),
            "ladder": self._ladder(node, path, timeout_s, on_timeout),
            "form": self._form(node.get("form"), (*path, "form")) if "form" in node else None,
            "calendar": self._calendar(node, path),
            "agent_answers": self.choice(node, "questions", path, QUESTIONS) == "agent",
        }

    def _reviewers(self, value: JsonValue, path: DocPath) -> tuple[str, bool, Reviewers | None]:
        """Return the first role, whether the requester is left out, and the groups where they are more than one person."""
        example = "reviewers: {role: claims-approver}, or reviewers: {all: [{role: …}, {role: …}]}"
        node = self.mapping(value, path if value is not None else path[:-1], example)
        if node is None:
            return "", True, None
        self.keys(node, path, REVIEWER_KEYS, place="reviewers")
        exclude = self.boolean(node, "exclude_requester", path, default=True)
        four_eyes = self.boolean(node, "four_eyes", path, default=False)
        ways = [key for key in ("role", "any", "all") if key in node]
        if len(ways) > 1:
            self.note(path, f"reviewers are one role, `any` or `all` of several groups, not {' and '.join(f'`{way}`' for way in ways)}")
            return "", exclude, None
        combine = "any" if "any" in node else "all"
        if combine in node:
            groups = self._groups(node[combine], (*path, combine))
            for key in ("quorum", "veto"):
                if key in node:
                    self.note((*path, key), f"`{key}` belongs to a group here", f"- {{role: …, {key}: …}}", on_key=True)
        else:
            groups = [self._group(node, path, REVIEWER_KEYS)]
        plain = combine not in node and not four_eyes and groups[0] == ReviewerGroup(role=groups[0].role)
        reviewers = None if plain or not groups else Reviewers(groups=groups, combine=combine, four_eyes=four_eyes)
        return groups[0].role if groups else "", exclude, reviewers

    def _groups(self, value: JsonValue, path: DocPath) -> list[ReviewerGroup]:
        if not isinstance(value, list) or not value:
            self.note(path, "groups are a list", "- {role: claims-approver, quorum: 2}")
            return []
        groups: list[ReviewerGroup] = []
        for index, item in enumerate(value):
            node = self.mapping(item, (*path, index), "{role: claims-approver, quorum: 2}")
            if node is not None:
                group = self._group(node, (*path, index), GROUP_KEYS)
                if group.role in [other.role for other in groups]:
                    self.note((*path, index, "role"), f"two groups ask the role `{group.role}`", "one group with a higher `quorum`")
                groups.append(group)
        return groups

    def _group(self, node: Node, path: DocPath, known: tuple[str, ...]) -> ReviewerGroup:
        self.keys(node, path, known, place="reviewers")
        return ReviewerGroup(
            role=self.text(node, "role", path, example="role: claims-approver"),
            quorum=self.integer(node, "quorum", path, default=1, between=(1, QUORUM_MAX)),
            veto=self.boolean(node, "veto", path, default=False),
        )

    def _reminders(self, node: Node, path: DocPath, timeout_s: float | None) -> list[float]:
        value = node.get("remind", [])
        at = (*path, "remind")
        if not isinstance(value, list) or len(value) > _REMIND_MAX:
            self.note(at, f"`remind` is a list of at most {_REMIND_MAX} durations after the opening", "remind: [4h, 20h]")
            return []
        found: list[float] = []
        for index, item in enumerate(value):
            seconds = duration_s(item) if isinstance(item, str) else None
            if seconds is None:
                self.note((*at, index), "a reminder comes a duration of units d h m s ms after the opening", "remind: [4h, 20h]")
            elif timeout_s is not None and seconds >= timeout_s:
                self.note((*at, index), "this reminder would come when the deadline has passed", "a shorter one")
            else:
                found.append(seconds)
        return sorted(found)

    def _ladder(self, node: Node, path: DocPath, timeout_s: float | None, on_timeout: OnTimeout) -> list[Rung]:
        value = node.get("escalate", [])
        at = (*path, "escalate")
        example = "escalate: [{after: 12h, to: {role: claims-lead}}]"
        if not isinstance(value, list) or len(value) > _RUNGS_MAX:
            self.note(at, f"`escalate` is a list of at most {_RUNGS_MAX} rungs", example)
            return []
        rungs = [rung for index, item in enumerate(value) if (rung := self._rung(item, (*at, index), on_timeout)) is not None]
        if on_timeout == "escalate" and not any(_left_at(rung, timeout_s) for rung in rungs):
            message = "`on_timeout: escalate` needs a rung of `escalate` that the deadline has not passed by then: one without `after`"
            self.note((*path, "on_timeout"), message, "escalate: [{to: {role: claims-lead}}]")
        for index, rung in enumerate(rungs):
            if on_timeout != "escalate" and timeout_s is not None and rung.moment is not None and rung.moment.after_s >= timeout_s:
                self.note((*at, index, "after"), "this rung would be reached when the deadline has passed", "a shorter one")
        return rungs

    def _rung(self, value: JsonValue, path: DocPath, on_timeout: OnTimeout) -> Rung | None:
        node = self.mapping(value, path, "{after: 12h, to: {role: claims-lead}}")
        if node is None:
            return None
        self.keys(node, path, RUNG_KEYS, place="escalate")
        if "to" not in node:
            self.note(path, "`to` is missing", "to: {role: claims-lead}")
            return None
        to = self.mapping(node["to"], (*path, "to"), "to: {role: claims-lead}")
        after = self.duration(node, "after", path)
        if "after" not in node and on_timeout != "escalate":
            self.note(path, "`after` is missing: only with `on_timeout: escalate` is a rung reached at the deadline", "after: 12h")
        if to is None:
            return None
        group = self._group(to, (*path, "to"), TO_KEYS)
        replace = self.boolean(node, "replace", path, default=False)
        return Rung(to=group, moment=None if after is None else Moment(after_s=after), replace=replace)

    def _form(self, value: JsonValue, path: DocPath) -> Node | None:
        node = self.mapping(value, path, "form: {schema: {type: object, …}}")
        if node is None:
            return None
        self.keys(node, path, ("schema",), place="form")
        return self.schema(node, path)

    def _calendar(self, node: Node, path: DocPath) -> str | None:
        if "calendar" not in node:
            return None
        name = self.text(node, "calendar", path, example="calendar: office-hours")
        if name and not _CALENDAR.fullmatch(name):
            self.note((*path, "calendar"), f"`{name[:60]}` is no name of a calendar", "calendar: office-hours, or office-hours@2")
        return name or None


def _left_at(rung: Rung, timeout_s: float | None) -> bool:
    """Whether a rung has not been reached when the first deadline passes."""
    return rung.moment is None or (timeout_s is not None and rung.moment.after_s >= timeout_s)
