"""Compare two policies of one service: what a release must prove less, and what more, by what they mean.

How a file is written does not matter: a default that is written out changes nothing. What is compared of each class
stands in tables; a test goes through all fields that there are, and knows of each that is not compared why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from bot.domain.argo import SelectedApplications, Target
from bot.domain.edit.kinds import ANY_DOCUMENT, DocumentWhere, Edit
from bot.domain.intake import TagRule, describe
from bot.domain.policy import (
    Approvals,
    ApprovedWhen,
    AtDeadline,
    AutoMerge,
    GitOps,
    HealthWindow,
    Join,
    Merge,
    Place,
    Policy,
    Proposing,
    Road,
    Rollback,
    Stage,
)
from bot.domain.rules import MeasuredRule
from bot.domain.text import count_of, format_duration, join_words
from bot.policy.comparing.artifacts import compare_artifacts
from bot.policy.comparing.calendars import compare_calendars
from bot.policy.comparing.orders import (
    Aspect,
    Change,
    Judge,
    Way,
    aspect,
    below,
    changes,
    differs,
    fewer_is_stricter,
    higher_is_stricter,
    listed,
    more_is_stricter,
    nothing_is_weakest,
    ranked,
    said,
    together,
)
from bot.policy.comparing.rules import compare_rules


def compare_policies(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Return what is different of two policies of one service, stage by stage, in the order of the new one."""
    return tuple(_compare(old, new))


def _compare(old: Policy, new: Policy) -> Iterator[Change]:
    yield from changes(POLICY, old, new, "")
    yield from changes(GITOPS, old.gitops, new.gitops, "gitops")
    yield from compare_calendars(old.calendar, new.calendar, "calendar")
    before, after = ({stage.name: stage for stage in policy.stages} for policy in (old, new))
    for name in dict.fromkeys([*after, *before]):
        path = f"stages[{name}]"
        if name in before and name in after:
            yield from changes(_FROM, (old, before[name]), (new, after[name]), path)
            yield from compare_stages(before[name], after[name], path)
        elif name in before:
            way = Way.WEAKER if old.targets_of(before[name]) else Way.CHANGED
            yield Change(way=way, path=path, old=f"the stage {name}", new="nothing")
        else:
            way = Way.STRICTER if new.targets_of(after[name]) else Way.CHANGED
            yield Change(way=way, path=path, old="nothing", new=f"the stage {name}")


def compare_stages(old: Stage, new: Stage, path: str) -> Iterator[Change]:
    """Give what is different of two stages, but for where their releases come from."""
    yield from changes(STAGE, old, new, path)
    yield from _optional(WINDOW, old.window, new.window, below(path, "window"))
    yield from compare_rules(old.gates, new.gates, below(path, "gates"))
    yield from compare_artifacts(old.artifact, new.artifact, below(path, "artifact"))
    yield from compare_calendars(old.calendar, new.calendar, below(path, "calendar"))
    yield from compare_promotion(old, new, below(path, "promote"))
    yield from _optional(ROLLBACK, old.rollback, new.rollback, below(path, "rollback"))
    if old.rollback is not None and new.rollback is not None:
        yield from compare_rules(old.rollback.triggers, new.rollback.triggers, below(path, "rollback.triggers"))


def compare_promotion(old: Stage, new: Stage, path: str) -> Iterator[Change]:
    """Give what is different of how a release enters two stages."""
    yield from changes(PROPOSING, old.proposing, new.proposing, path)
    yield from changes(MERGE, old, new, path)


def _optional(aspects: Sequence[Aspect[Any]], old: object, new: object, path: str) -> Iterator[Change]:
    """Compare a section that need not be there: without it nothing is asked for."""
    if old is not None and new is not None:
        yield from changes(aspects, old, new, path)
    elif old is not new:
        way = Way.WEAKER if new is None else Way.STRICTER
        words = {True: "nothing", False: "there"}
        yield Change(way=way, path=path, old=words[old is None], new=words[new is None])


# --- the service -----------------------------------------------------------------------------------------------------

POLICY: Sequence[Aspect[Policy]] = (
    aspect("image", "image", lambda policy: policy.image, differs, str),
    aspect("source", "source", lambda policy: policy.source, differs, said),
)
GITOPS: Sequence[Aspect[GitOps]] = (
    aspect("repository", "repository", lambda gitops: gitops.repository, differs, str),
    aspect("branch", "branch", lambda gitops: gitops.branch, differs, str),
    aspect("commits", "commits", lambda gitops: gitops.commits, differs, str),
)


# --- a stage ---------------------------------------------------------------------------------------------------------

_Placed = tuple[Policy, Stage]


def _judge_source(old: _Placed, new: _Placed) -> Way | None:
    """Judge where releases come from by the stages that they pass before: with more of them it is stricter."""
    before, after = set(old[1].sources), set(new[1].sources)
    if before == after:
        judge: Judge[Join] = ranked(Join.ANY, Join.ALL)
        return judge(old[1].join, new[1].join)
    if Join.ANY in (old[1].join, new[1].join):
        return Way.CHANGED
    return more_is_stricter(_passed(*old), _passed(*new)) or Way.CHANGED


def _passed(policy: Policy, stage: Stage) -> Sequence[str]:
    """Return the names of the stages that a release passes before this one."""
    by_name = {one.name: one for one in policy.stages}
    found: dict[str, None] = {}
    level = [stage]
    while level:
        names = [name for one in level for name in one.sources if name in by_name and name not in found]
        found.update(dict.fromkeys(names))
        level = [by_name[name] for name in dict.fromkeys(names)]
    return list(found)


def _origin_said(placed: _Placed) -> str:
    stage = placed[1]
    if len(stage.sources) < 2:
        return said(stage.source)
    return f"{stage.join} of {join_words(stage.sources)}"


_FROM: Sequence[Aspect[_Placed]] = (
    Aspect(fields=("source", "beside", "join"), key="from", judge=_judge_source, show=_origin_said),
)


def _without_pin(edit: Edit) -> Edit:
    return replace(edit, pin=False)


def _edit(edit: Edit) -> str:
    document = getattr(edit, "document", ANY_DOCUMENT)
    return ", ".join([str(edit.kind), *_set(edit), *(f"document {what}" for what in _set(document))])


def _set(value: Edit | DocumentWhere) -> Iterator[str]:
    """Give the fields of a value that are not what they are by themselves, but for those with fields of their own."""
    for one in fields(value):
        found = getattr(value, one.name)
        if found != one.default and not isinstance(found, DocumentWhere):
            yield f"{one.name} {found}"


def _applications(targets: Sequence[Target]) -> Sequence[str]:
    return [
        f"{one.namespace}/{one.shown}" if isinstance(one, SelectedApplications) and one.namespace else one.shown
        for one in targets
    ]


def _places(places: Sequence[Place]) -> Sequence[str]:
    return [f"{place.image} in {_edit(place.edit)}" for place in places]


def _tag_rule(stage: Stage) -> TagRule | None:
    return None if stage.intake is None else stage.intake.rule


def _tag_rule_said(rule: TagRule | None) -> str:
    return "nothing" if rule is None else describe(rule)


STAGE: Sequence[Aspect[Stage]] = (
    aspect("edit", "edit", lambda stage: _without_pin(stage.edit), differs, _edit),
    aspect(
        "edit",
        "edit.pin",
        lambda stage: stage.edit.pin,
        higher_is_stricter,
        lambda is_pinned: "digest" if is_pinned else "none",
    ),
    aspect("together", "with", lambda stage: _places(stage.together), differs, listed),
    aspect("applications", "argocd", lambda stage: _applications(stage.applications), more_is_stricter, listed),
    aspect("sync", "sync", lambda stage: stage.sync, differs, str),
    aspect("intake", "releases", _tag_rule, differs, _tag_rule_said),
    aspect("proofs_in", "artifact.found_in", lambda stage: stage.proofs_in, differs, listed),
)


def _judge_at_deadline(old: AtDeadline, new: AtDeadline) -> Way | None:
    # To call a person or to wait on is no difference for the release.
    way = higher_is_stricter(old is not AtDeadline.PROMOTE, new is not AtDeadline.PROMOTE)
    return way or differs(old, new)


def _judge_deadline(old: HealthWindow, new: HealthWindow) -> Way | None:
    if AtDeadline.PROMOTE in (old.at_deadline, new.at_deadline):
        return higher_is_stricter(old.deadline, new.deadline)
    return differs(old.deadline, new.deadline)


WINDOW: Sequence[Aspect[HealthWindow]] = (
    aspect("length", "for", lambda window: window.length, higher_is_stricter, format_duration),
    aspect("warmup", "warmup", lambda window: window.warmup, differs, format_duration),
    aspect("tile", "tile", lambda window: window.tile, differs, format_duration),
    Aspect(
        fields=("deadline",),
        key="deadline",
        judge=_judge_deadline,
        show=lambda window: format_duration(window.deadline),
    ),
    aspect("at_deadline", "at_deadline", lambda window: window.at_deadline, _judge_at_deadline, str),
)


# --- how it enters, and how it is taken back -------------------------------------------------------------------------


def _goes_by_pull_request(old: Proposing, new: Proposing) -> bool:
    # A commit has no pull request to arm and to merge, and is told as such.
    return old.by is new.by is Road.PULL_REQUEST


def _judge_arming(old: Proposing, new: Proposing) -> Way | None:
    judge: Judge[AutoMerge] = ranked(AutoMerge.ANY, AutoMerge.BOUND, AutoMerge.NEVER)
    return judge(old.auto_merge, new.auto_merge) if _goes_by_pull_request(old, new) else None


def _judge_merge(old: Stage, new: Stage) -> Way | None:
    judge: Judge[Merge] = ranked(Merge.AUTO, Merge.HUMAN)
    return judge(old.merge, new.merge) if _goes_by_pull_request(old.proposing, new.proposing) else None


def _judge_approvers(old: Sequence[str], new: Sequence[str]) -> Way | None:
    if old and new:
        return fewer_is_stricter(old, new)
    # Without any it is those whose role in the repository allows it, who may be more or fewer.
    return differs(old, new)


def _judge_approvals(old: Approvals, new: Approvals) -> Way | None:
    when: Judge[ApprovedWhen] = ranked(ApprovedWhen.ANY_TIME, ApprovedWhen.AFTER_WINDOW)
    return together(
        higher_is_stricter(old.need, new.need),
        _judge_approvers(old.people, new.people),
        higher_is_stricter(old.four_eyes, new.four_eyes),
        when(old.when, new.when),
    )


def _approvals_said(approvals: Approvals | None) -> str:
    if approvals is None:
        return "nothing"
    words = [count_of(approvals.need, "approval")]
    words += [f"from {join_words(approvals.people, 'or')}"] if approvals.people else []
    words += ["four eyes"] if approvals.four_eyes else []
    return ", ".join([*words, *([str(approvals.when)] if approvals.when is ApprovedWhen.AFTER_WINDOW else [])])


PROPOSING: Sequence[Aspect[Proposing]] = (
    aspect("by", "by", lambda one: one.by, ranked(Road.COMMIT, Road.PULL_REQUEST), str),
    Aspect(
        fields=("auto_merge",), key="auto_merge", judge=_judge_arming, show=lambda proposing: str(proposing.auto_merge)
    ),
    aspect("approvers", "approvers", lambda one: one.approvers, _judge_approvers, listed),
    aspect("approvals", "approvals", lambda one: one.approvals, nothing_is_weakest(_judge_approvals), _approvals_said),
    aspect("pause", "pause", lambda one: one.pause, higher_is_stricter, format_duration),
)
MERGE: Sequence[Aspect[Stage]] = (
    Aspect(fields=("merge",), key="merge", judge=_judge_merge, show=lambda stage: str(stage.merge)),
)


def _tiles(rollback: Rollback) -> Sequence[str]:
    return sorted({format_duration(one.tile) for one in rollback.triggers if isinstance(one, MeasuredRule)})


def _judge_tiles(old: Sequence[str], new: Sequence[str]) -> Way | None:
    return differs(old, new) if old and new else None


ROLLBACK: Sequence[Aspect[Rollback]] = (
    aspect("watch", "watch", lambda one: one.watch, higher_is_stricter, format_duration),
    aspect("by", "by", lambda one: one.by, differs, str),
    aspect("at_most", "at_most", lambda one: one.at_most, differs, str),
    aspect("cool_down", "cool_down", lambda one: one.cool_down, higher_is_stricter, format_duration),
    aspect("also", "also", lambda one: one.also, more_is_stricter, listed),
    aspect(
        "during_freeze",
        "during_freeze",
        lambda one: one.during_freeze,
        higher_is_stricter,
        lambda is_done: "true" if is_done else "false",
    ),
    aspect("triggers", "tile", _tiles, _judge_tiles, listed),
)
