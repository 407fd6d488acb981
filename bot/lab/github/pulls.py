"""What happens to pull requests: opened, moved with their branches, merged, closed, reopened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.lab.github.automatic import disarm, leave_queue, queue_of
from bot.lab.github.call import Refusal, invalid
from bot.lab.github.merging import commits_of, make_merge
from bot.lab.github.nouns import Account, App, MergeRequest, Pull
from bot.lab.github.requirements import blocked, conflicts
from bot.lab.github.sealing import sealed
from bot.lab.github.timeline import record, tell_pull
from bot.lab.github.world import Happening, Repository, World

_NOT_MERGEABLE = "Pull Request is not mergeable"


def head_label(repository: Repository, pull: Pull) -> str:
    """Return `owner:branch` of the head."""
    return f"{repository.owner.login}:{pull.head}"


# --- branches move ---------------------------------------------------------------------------------------------------


def refs_moved(world: World, repository: Repository, before: Mapping[str, str], actor: Account) -> None:
    """Let pull requests follow what happened to branches since `before` (heads by branch name), and tell of pushes."""
    after = repository.bare.branches()
    moved = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    if not moved:
        return
    repository.pushed_at = world.now()
    for name in moved:
        facts = {"ref": f"refs/heads/{name}", "before": before.get(name), "after": after.get(name)}
        world.tell(Happening(repository=repository, event="push", sender=actor, facts=facts))
    for pull in list(repository.pulls.values()):
        if pull.is_open:
            _follow(world, repository, pull, before, actor)
        if pull.head in before and pull.head not in after and pull.head_sha == before[pull.head]:
            record(world, pull, "HeadRefDeletedEvent", actor, headRefName=pull.head)
        elif pull.head in after and pull.head not in before and pull.head_sha == after[pull.head]:
            record(world, pull, "HeadRefRestoredEvent", actor)


def _follow(world: World, repository: Repository, pull: Pull, before: Mapping[str, str], actor: Account) -> None:
    bare = repository.bare
    base, head = bare.branch(pull.base), bare.branch(pull.head)
    if base != before.get(pull.base):
        pull.looks_until_mergeable = world.mergeability_looks
        if base is not None and bare.is_ancestor(pull.head_sha, base):
            _merged_by_push(world, repository, pull, before, actor)
            return
    if base is None or head is None:
        close(world, repository, pull, actor)
        return
    if head != pull.head_sha:
        synchronise(world, repository, pull, head, actor)
        if bare.is_ancestor(head, base):  # nothing is left to be merged
            close(world, repository, pull, actor)


def synchronise(world: World, repository: Repository, pull: Pull, head: str, actor: Account) -> None:
    """Take over a new head: reviews that must be fresh are dismissed, and orders that hold for the old one only."""
    leave_queue(world, repository, pull, actor, "new_commits")
    if not repository.bare.is_ancestor(pull.head_sha, head):
        record(world, pull, "HeadRefForcePushedEvent", actor, beforeCommit=pull.head_sha, afterCommit=head)
    if not world.writes(actor, repository):
        disarm(world, repository, pull, actor, "Head branch was pushed to by a user without write access")
    pull.head_sha = head
    pull.base_sha = repository.bare.branch(pull.base) or pull.base_sha
    pull.updated_at = world.now()
    pull.looks_until_mergeable = world.mergeability_looks
    repository.bare.set_ref(f"refs/pull/{pull.number}/head", head)
    protection = repository.protections.get(pull.base)
    if protection is not None and protection.dismiss_stale_reviews:
        for review in pull.reviews:
            if review.state == "APPROVED":
                review.state = "DISMISSED"
    tell_pull(world, repository, pull, "synchronize", actor)


def _merged_by_push(
    world: World, repository: Repository, pull: Pull, before: Mapping[str, str], actor: Account
) -> None:
    pull.base_sha = before.get(pull.base, pull.base_sha)
    arrived = repository.bare.commits("--first-parent", "--reverse", f"{pull.base_sha}..refs/heads/{pull.base}")
    holding = (commit.sha for commit in arrived if repository.bare.is_ancestor(pull.head_sha, commit.sha))
    _note_merge(world, repository, pull, next(holding, pull.head_sha), actor)


# --- open, close, reopen ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a new pull request is to be."""

    title: str
    head: str
    base: str
    body: str | None = None
    draft: bool = False
    app: App | None = None


def open_pull(world: World, repository: Repository, author: Account, wanted: Opening) -> Pull:
    """Open a pull request; refuse what GitHub refuses, with its 422."""
    bare = repository.bare
    base_sha, head_sha = bare.branch(wanted.base), bare.branch(wanted.head)
    if base_sha is None or head_sha is None:
        field = "base" if base_sha is None else "head"
        raise invalid({"resource": "PullRequest", "field": field, "code": "invalid"})
    pull = Pull(
        id=world.new_id(),
        number=max(repository.pulls, default=0) + 1,
        author=author,
        app=wanted.app,
        title=wanted.title,
        body=wanted.body,
        draft=wanted.draft,
        base=wanted.base,
        base_sha=base_sha,
        head=wanted.head,
        head_sha=head_sha,
        created_at=world.now(),
        updated_at=world.now(),
        looks_until_mergeable=world.mergeability_looks,
    )
    _refuse_hopeless(repository, pull)
    repository.pulls[pull.number] = pull
    bare.set_ref(f"refs/pull/{pull.number}/head", head_sha)
    tell_pull(world, repository, pull, "opened", author)
    return pull


def _refuse_hopeless(repository: Repository, pull: Pull) -> None:
    for other in repository.pulls.values():
        if other.is_open and other.number != pull.number and (other.head, other.base) == (pull.head, pull.base):
            said = f"A pull request already exists for {head_label(repository, pull)}."
            raise invalid({"resource": "PullRequest", "code": "custom", "message": said})
    if not commits_of(repository, pull):
        said = f"No commits between {pull.base} and {pull.head}"
        raise invalid({"resource": "PullRequest", "code": "custom", "message": said})


def close(world: World, repository: Repository, pull: Pull, actor: Account) -> None:
    """Close without merging; a closed one stays as it is."""
    if not pull.is_open:
        return
    pull.base_sha = repository.bare.branch(pull.base) or pull.base_sha
    pull.closed_at = pull.updated_at = world.now()
    pull.closed_by = actor
    leave_queue(world, repository, pull, actor, "closed")
    disarm(world, repository, pull, actor, "Pull request was closed")
    record(world, pull, "ClosedEvent", actor)
    tell_pull(world, repository, pull, "closed", actor)


def reopen(world: World, repository: Repository, pull: Pull, actor: Account) -> None:
    """Open again; refuse what GitHub refuses: merged ones, and those whose branch has gone."""
    if pull.is_open:
        return
    if pull.merged_at is not None:
        raise _state_invalid("state cannot be changed. The pull request cannot be reopened.")
    head = repository.bare.branch(pull.head)
    if head is None:
        raise _state_invalid(f"state cannot be changed. The {pull.head} branch has been deleted.")
    closed_at, closed_by = pull.closed_at, pull.closed_by
    pull.closed_at = pull.closed_by = None
    try:
        _refuse_hopeless(repository, pull)
    except Refusal:
        pull.closed_at, pull.closed_by = closed_at, closed_by
        raise
    pull.updated_at = world.now()
    record(world, pull, "ReopenedEvent", actor)
    tell_pull(world, repository, pull, "reopened", actor)
    if head != pull.head_sha:
        synchronise(world, repository, pull, head, actor)


def _state_invalid(said: str) -> Refusal:
    return invalid({"resource": "PullRequest", "field": "state", "code": "invalid", "message": said})


# --- merge -----------------------------------------------------------------------------------------------------------


def merge(
    world: World, repository: Repository, pull: Pull, actor: Account, request: MergeRequest, expected: str | None = None
) -> str:
    """Merge, if GitHub would; return the base's new head. `expected` is the head that the caller has seen."""
    refuse_merge(repository, pull, request, expected)
    return merge_now(world, repository, pull, actor, request)


def merge_now(world: World, repository: Repository, pull: Pull, actor: Account, request: MergeRequest) -> str:
    """Merge what may be merged; refuse what git cannot."""
    made = make_merge(world, repository, pull, actor, request)
    if made is None and request.method == "rebase":
        raise Refusal(405, "This branch can't be rebased")
    if made is None:
        raise Refusal(405, _NOT_MERGEABLE)
    # What it rebases bears the name of who merged it, and so no signature of GitHub's.
    made = made if request.method == "rebase" else sealed(world, repository, made)
    before = repository.bare.branches()
    pull.base_sha = before[pull.base]
    _note_merge(world, repository, pull, made, actor)
    repository.bare.set_ref(f"refs/heads/{pull.base}", made)
    if repository.delete_branch_on_merge and pull.head != repository.default_branch:
        repository.bare.delete_ref(f"refs/heads/{pull.head}")
    refs_moved(world, repository, before, actor)
    return made


def refuse_merge(repository: Repository, pull: Pull, request: MergeRequest, expected: str | None) -> None:
    """Refuse a direct merge where GitHub does, with its status and words."""
    if not pull.is_open:
        raise Refusal(405, _NOT_MERGEABLE)
    if pull.draft:
        raise Refusal(405, "Pull Request is still a draft")
    if expected is not None and expected != pull.head_sha:
        raise Refusal(409, "Head branch was modified. Review and try the merge again.")
    if request.method not in repository.merge_methods:
        names = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}
        raise Refusal(405, f"{names[request.method]} are not allowed on this repository.")
    if conflicts(repository, pull):
        raise Refusal(405, _NOT_MERGEABLE)
    why = blocked(repository, pull)
    if why is not None:
        raise Refusal(405, why)
    if queue_of(repository, pull) is not None:
        raise Refusal(405, "Changes must be made through the merge queue")


def _note_merge(world: World, repository: Repository, pull: Pull, commit: str, actor: Account) -> None:
    pull.merge_commit = commit
    pull.merged_at = pull.closed_at = pull.updated_at = world.now()
    pull.merged_by = pull.closed_by = actor
    pull.auto_merge = pull.queue_entry = None
    record(world, pull, "MergedEvent", actor, commit=commit, mergeRefName=pull.base)
    record(world, pull, "ClosedEvent", actor)
    tell_pull(world, repository, pull, "closed", actor)
