"""How a release enters a stage: `promote` of a stage, read into `Proposing`, and who merges."""

from __future__ import annotations

import string
from collections.abc import Callable
from datetime import timedelta

from bot.domain.policy import DEFAULT_TITLE, AutoMerge, EvidenceIn, Merge, Opens, Proposing, Road
from bot.domain.pulls import MergeMethod
from bot.domain.text import parse_duration
from bot.policy.approving import read_approvals
from bot.policy.grammar import A_DURATION, HANDLE, PERSON
from bot.policy.reading import Section, matching, one_of, parsed

_LABEL = r"[^\s,][^,]{0,48}[^\s,]|[^\s,]"
_PLACES = frozenset({"service", "stage", "old", "new"})
_LONGEST_TITLE = 200
_A_TITLE = "one line of at most 200 characters with {service}, {stage}, {old} and {new} where they belong"
ONLY_PULL_REQUESTS = (
    "merge",
    "open",
    "evidence",
    "method",
    "auto_merge",
    "title",
    "labels",
    "reviewers",
    "assignees",
    "approvals",
)


def read_promote(section: Section | None) -> tuple[Merge, Proposing]:
    """Read who merges and how it is proposed; a stage that says nothing leaves the merge to people."""
    if section is None:
        return Merge.HUMAN, Proposing()
    by = section.read("by", one_of(("pull-request", "commit")), "pull-request or commit", default="pull-request")
    if by == "commit":
        _refuse_pull_request_words(section)
    merge = section.read("merge", one_of(("auto", "human")), "auto or human", default="human")
    opens = section.read("open", Opens, "early or on-pass", default=Opens.EARLY)
    evidence = section.read("evidence", EvidenceIn, "comment or body", default=EvidenceIn.COMMENT)
    arms = section.read("auto_merge", AutoMerge, "never, bound or any", default=AutoMerge.NEVER)
    title = section.read("title", parse_title, _A_TITLE, default=DEFAULT_TITLE)
    pause = section.read("pause", parse_duration, A_DURATION, default=timedelta(0))
    approvers = _texts(section, "approvers", matching(HANDLE), "a login or a team, such as @dana or @acme/release")
    source = section.read("tell_source", one_of(("true", "false")), "true or false", default="false")
    proposing = Proposing(
        by=Road(by or "pull-request"),
        opens=opens or Opens.EARLY,
        evidence=evidence or EvidenceIn.COMMENT,
        method=_method(section),
        auto_merge=arms or AutoMerge.NEVER,
        title=title or DEFAULT_TITLE,
        approvers=approvers,
        notify=_texts(section, "notify", matching(HANDLE), "a login or a team, such as @dana or @acme/release"),
        labels=_texts(section, "labels", matching(_LABEL), "a label of 1 to 50 characters without commas"),
        reviewers=_texts(section, "reviewers", matching(HANDLE), "a login or a team, such as @dana or @acme/release"),
        assignees=_texts(section, "assignees", matching(PERSON), "a login, such as @dana"),
        tells_source=source == "true",
        pause=pause or timedelta(0),
        approvals=read_approvals(section.section("approvals"), approvers),
    )
    section.finish()
    return Merge(merge or "human"), proposing


def parse_title(text: str) -> str:
    """Take a template for titles: only its four places, nothing that would format or reach into them."""
    if len(text) > _LONGEST_TITLE or "\n" in text or not text.strip():
        raise ValueError(text)
    places = list(string.Formatter().parse(text))
    for _, name, form, conversion in places:
        if name is not None and (name not in _PLACES or form or conversion):
            raise ValueError(text)
    return text


def _method(section: Section) -> MergeMethod | None:
    if section.get("method") is None:
        return None
    return section.read("method", MergeMethod, "merge, squash or rebase")


def _texts(section: Section, key: str, parse: Callable[[str], str], expected: str) -> tuple[str, ...]:
    found = (parsed(value, path, section.faults, parse, expected) for path, value in section.items(key))
    return tuple(dict.fromkeys(text for text in found if text is not None))


def _refuse_pull_request_words(section: Section) -> None:
    for key in ONLY_PULL_REQUESTS:
        value = section.get(key)
        if value is not None:
            section.faults.note(value, section.at(key), "it with by: commit", "it only with by: pull-request")
