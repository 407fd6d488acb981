"""Who must act, and who may do what by which command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.domain.commands import USAGE, Verb
from bot.domain.policy import Road, Stage
from bot.domain.text import format_duration
from bot.render.escape import code
from bot.render.views import CommentView

ROADS = {Road.COMMIT: "a commit", Road.PULL_REQUEST: "a pull request"}
_MOST_NAMED = 5
_READERS = "to see this repository"
_WRITERS = "the role to write"
_EFFECTS: Mapping[Verb, str] = {
    Verb.STATUS: "says how it stands",
    Verb.EXPLAIN: "says of each gate why it answers so, and what would change it",
    Verb.HOLD: "lets nothing move into this stage until somebody resumes it",
    Verb.RESUME: "takes a hold back",
    Verb.APPROVE: "lets this release move at this very commit, where a person must say so",
    Verb.PROMOTE: "lets it move although this gate is not healthy; that is shown and recorded",
    Verb.REJECT: "keeps this release out of this stage",
    Verb.ROLLBACK: "takes this release back out of this stage",
    Verb.RETRY: "judges this release anew, and takes a rejection back",
    Verb.LIFT: "lets a release move again that was taken back, past the same gates",
    Verb.HELP: "shows this table",
}


def command_table(stage: Stage) -> str:
    """Return each command with what it does and what role it needs."""
    who = _rights(stage)
    rows = [f"| {code(USAGE[verb])} | {effect} | {who.get(verb, _WRITERS)} |" for verb, effect in _EFFECTS.items()]
    return "\n".join(["| comment | what it does | it needs |", "|---|---|---|", *rows])


def _rights(stage: Stage) -> Mapping[Verb, str]:
    """Say who may, in the words of `bot.domain.authority`, which decides it; all others need the role to write."""
    rights = dict.fromkeys((Verb.STATUS, Verb.EXPLAIN, Verb.HELP), _READERS)
    if not stage.proposing.approvers:
        asked = stage.proposing.approvals.people if stage.proposing.approvals is not None else ()
        approving = {Verb.APPROVE: "somebody whose approval is asked for, or an administrator"} if asked else {}
        return rights | approving | dict.fromkeys((Verb.PROMOTE, Verb.LIFT), "the role to maintain")
    either = dict.fromkeys((Verb.REJECT, Verb.ROLLBACK), "an approver, or the role to write")
    approvers = {Verb.APPROVE: "an approver, or an administrator"}
    maintainers = dict.fromkeys((Verb.PROMOTE, Verb.LIFT), "an approver, or the role to maintain")
    return rights | either | approvers | maintainers


def effects(stage: Stage) -> list[str]:
    """Return one line for each thing that a person may do to the pull request itself."""
    return [
        f"- **Merge**: Argo CD brings it to {named(target.shown for target in stage.applications)}.{_watched(stage)}",
        "- **Close** without merging: the release is rejected for this stage. **Reopen**: it may move again.",
        "- **Request changes**, make it a **draft**, or label it `liftlock/hold`: it waits until you take that back.",
        "- **Push** to the branch: Liftlock leaves your commits alone, and the merge to you.",
        "- Other labels, assignees, and text outside Liftlock's section: nothing changes.",
    ]


def _watched(stage: Stage) -> str:
    rollback = stage.rollback
    if rollback is None:
        return ""
    triggers = named(trigger.name for trigger in rollback.triggers)
    watch, road = format_duration(rollback.watch), ROADS[rollback.by]
    return f" Then Liftlock watches it for {watch} ({triggers}), and takes it back by {road} if one fires."


def whoever_may(view: CommentView) -> str:
    """Name the people who may act: the policy's approvers as code spans, who are not notified by that."""
    approvers = view.stage.proposing.approvers
    if not approvers:
        return f"somebody who may write to {code(view.policy.gitops.repository)}"
    return f"one of {named(approvers)}" if len(approvers) > 1 else code(approvers[0])


def whoever_overrides(view: CommentView) -> str:
    """Name the people who may override a gate, in the words of `bot.domain.authority`, which decides it."""
    approvers = view.stage.proposing.approvers
    maintainer = f"a maintainer of {code(view.policy.gitops.repository)}"
    return f"{named(approvers, most=2)} or {maintainer}" if approvers else maintainer


def named(names: Iterable[str], most: int = _MOST_NAMED) -> str:
    """Return names as code spans, and how many more there are."""
    listed = tuple(names)
    shown = ", ".join(code(name) for name in listed[:most])
    return f"{shown} and {len(listed) - most} more" if len(listed) > most else shown
