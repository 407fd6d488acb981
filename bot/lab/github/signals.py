"""What a pull request's page shows beside its text: the conversation, reports on its head, and deployments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from bot.lab.github.checks import check_runs_of, checks_state, latest_statuses
from bot.lab.github.nouns import Comment, Deployment, Event, Label, Pull, Reaction
from bot.lab.github.world import Repository

Render = Callable[[str], Markup]

_REVIEW_WORDS = {
    "APPROVED": "approved these changes",
    "CHANGES_REQUESTED": "requested changes",
    "COMMENTED": "reviewed",
    "DISMISSED": "reviewed (dismissed)",
}
_EVENT_WORDS = {
    "ReopenedEvent": "reopened this",
    "ConvertToDraftEvent": "marked this pull request as draft",
    "ReadyForReviewEvent": "marked this pull request as ready for review",
    "HeadRefForcePushedEvent": "force-pushed the branch",
    "HeadRefDeletedEvent": "deleted the branch",
    "HeadRefRestoredEvent": "restored the branch",
    "AutoMergeEnabledEvent": "enabled auto-merge",
    "AddedToMergeQueueEvent": "added this pull request to the merge queue",
}
_FACES = {
    "+1": "👍",
    "-1": "👎",
    "laugh": "😄",
    "confused": "😕",
    "heart": "❤️",
    "hooray": "🎉",
    "rocket": "🚀",
    "eyes": "👀",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One entry of the conversation. `kind` is a CSS class; `html` the rendered text; `faces` the reactions to it."""

    at: datetime
    who: str
    says: str
    kind: str
    html: Markup | None = None
    faces: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A status or check run on the head. `verdict` is GitHub's word for how it ended, `line` its title."""

    name: str
    state: str
    verdict: str
    line: str
    is_required: bool
    app: str = ""
    html: Markup | None = None


def moments(pull: Pull, render: Render) -> Iterator[Moment]:
    """Yield all that happened, in no order."""
    for comment in pull.comments:
        yield _comment(comment, render)
    for review in pull.reviews:
        yield Moment(
            at=review.submitted_at,
            who=review.author.login,
            says=_REVIEW_WORDS.get(review.state, "reviewed"),
            kind=review.state.lower(),
            html=render(review.body) if review.body else None,
        )
    for event in pull.events:
        said = _said(event, pull)
        if said is not None:
            who = event.actor.login if event.actor else "github"
            yield Moment(at=event.at, who=who, says=said, kind=_kind(event))


def _comment(comment: Comment, render: Render) -> Moment:
    edited = " (edited)" if comment.edited_at is not None else ""
    return Moment(
        at=comment.created_at,
        who=comment.author.login,
        says=f"commented{edited}",
        kind="comment",
        html=render(comment.body),
        faces=_faces(comment.reactions),
    )


def _faces(reactions: Sequence[Reaction]) -> Sequence[tuple[str, int]]:
    contents = [one.content for one in reactions]
    return [(_FACES[content], contents.count(content)) for content in dict.fromkeys(contents)]


def _kind(event: Event) -> str:
    return {"MergedEvent": "merged", "ClosedEvent": "closed"}.get(event.kind, "event")


def _said(event: Event, pull: Pull) -> str | None:
    """Return what an event says; None for a close that is a merge, which has said it."""
    facts = event.facts
    if event.kind in ("LabeledEvent", "UnlabeledEvent"):
        label = facts["label"]
        word = "added" if event.kind == "LabeledEvent" else "removed"
        return f"{word} the {label.name} label" if isinstance(label, Label) else None
    if event.kind == "MergedEvent":
        return f"merged commit {str(facts['commit'])[:7]} into {facts['mergeRefName']}"
    if event.kind == "ClosedEvent":
        return None if event.at == pull.merged_at else "closed this"
    return _changed(event) or _EVENT_WORDS.get(event.kind, event.kind)


def _changed(event: Event) -> str | None:
    facts = event.facts
    if event.kind == "RenamedTitleEvent":
        return f"changed the title from “{facts['previousTitle']}” to “{facts['currentTitle']}”"
    if event.kind == "BaseRefChangedEvent":
        return f"changed the base branch from {facts['previousRefName']} to {facts['currentRefName']}"
    if event.kind == "AutoMergeDisabledEvent":
        return f"disabled auto-merge: {facts['reason']}" if facts["reason"] else "disabled auto-merge"
    if event.kind == "RemovedFromMergeQueueEvent":
        return f"removed this pull request from the merge queue: {facts['reason']}"
    return None


# --- reports and deployments -----------------------------------------------------------------------------------------


def reports(repository: Repository, pull: Pull, render: Render) -> Sequence[Report]:
    """Return the reports on the head, and the required ones that nobody has sent yet."""
    sha, protection = pull.head_sha, repository.protections.get(pull.base)
    required = () if protection is None else protection.required_contexts
    found = [
        Report(
            name=one.context,
            state=checks_state(repository, sha, one.context),
            verdict=one.state,
            line=one.description or "",
            is_required=one.context in required,
            app=one.creator.login,
        )
        for one in latest_statuses(repository, sha)
    ]
    found += [
        Report(
            name=one.name,
            state=checks_state(repository, sha, one.name),
            verdict=one.conclusion or one.status,
            line=one.title or "",
            is_required=one.name in required,
            app=one.app.slug if one.app else "",
            html=render(one.summary) if one.summary else None,
        )
        for one in check_runs_of(repository, sha)
    ]
    missing = [name for name in required if name not in {one.name for one in found}]
    return [*found, *(_expected(name) for name in missing)]


def _expected(name: str) -> Report:
    return Report(name=name, state="expected", verdict="expected", line="waiting to be reported", is_required=True)


def deployments_of(repository: Repository, pull: Pull) -> Sequence[tuple[Deployment, str, str]]:
    """Return the deployments of a pull request's head and of its merge, newest first, each with state and words."""
    commits = {pull.head_sha, pull.merge_commit}
    found = [one for one in reversed(repository.deployments) if one.sha in commits]
    return [(one, *_state(one)) for one in found]


def _state(one: Deployment) -> tuple[str, str]:
    if not one.statuses:
        return "pending", one.description or ""
    return one.statuses[-1].state, one.statuses[-1].description or one.description or ""
