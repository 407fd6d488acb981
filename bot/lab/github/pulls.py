"""What happens to pull requests: opened, moved with their branches, judged mergeable, merged, closed, reopened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.lab.github.call import Refusal, invalid
from bot.lab.github.checks import checks_state, latest_checks
from bot.lab.github.merging import MergeRequest, commits_of, make_merge
from bot.lab.github.nouns import Account, App, Protection, Pull
from bot.lab.github.world import Happening, Repository, World

_NOT_MERGEABLE = "Pull Request is not mergeable"


def tell_pull(world: World, repository: Repository, pull: Pull, action: str, sender: Account) -> None:
    """Tell webhooks of a pull request."""
    facts = {"pull_request": pull, "number": pull.number}
    happening = Happening(repository=repository, event="pull_request", action=action, sender=sender, facts=facts)
    world.tell(happening)


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
    """Take over a new head: reviews that must be fresh are dismissed."""
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
    tell_pull(world, repository, pull, "reopened", actor)
    if head != pull.head_sha:
        synchronise(world, repository, pull, head, actor)


def _state_invalid(said: str) -> Refusal:
    return invalid({"resource": "PullRequest", "field": "state", "code": "invalid", "message": said})


# --- may it be merged, and merge it ----------------------------------------------------------------------------------


def conflicts(repository: Repository, pull: Pull) -> bool:
    """Say whether base and head cannot be merged as they are."""
    base = repository.bare.branch(pull.base)
    return base is None or repository.bare.merge_tree(base, pull.head_sha) is None


def try_merge(world: World, repository: Repository, pull: Pull) -> bool:
    """Compute mergeability, as GitHub does when it is looked at; False if the answer is still to come."""
    if not pull.is_open:
        return True
    if pull.looks_until_mergeable > 0:
        pull.looks_until_mergeable -= 1
        return False
    base = repository.bare.branch(pull.base)
    parents = () if pull.test_merge is None else repository.bare.commit(pull.test_merge).parents
    if parents != (base, pull.head_sha):
        request = MergeRequest(title=f"Merge {pull.head_sha} into {base}", message="")
        pull.test_merge = make_merge(world, repository, pull, pull.author, request)
        if pull.test_merge is not None:
            repository.bare.set_ref(f"refs/pull/{pull.number}/merge", pull.test_merge)
    return True


def mergeable_state(repository: Repository, pull: Pull) -> str:
    """Return GitHub's word for a pull request whose mergeability has been computed."""
    if pull.draft:
        return "draft"
    if conflicts(repository, pull):
        return "dirty"
    if _blocked(repository, pull) is not None:
        return "blocked"
    states = {checks_state(repository, pull.head_sha, context) for context in latest_checks(repository, pull.head_sha)}
    return "clean" if states <= {"success"} else "unstable"


def _blocked(repository: Repository, pull: Pull) -> str | None:
    """Return why the base's protection forbids the merge, in GitHub's words."""
    protection = repository.protections.get(pull.base)
    if protection is None:
        return None
    return _missing_review(pull, protection) or _missing_check(repository, pull, protection)


def _missing_review(pull: Pull, protection: Protection) -> str | None:
    newest = {one.author.login: one.state for one in pull.reviews if one.state != "COMMENTED"}
    if protection.required_approvals and "CHANGES_REQUESTED" in newest.values():
        return "Changes have been requested by a reviewer with write access."
    if sum(state == "APPROVED" for state in newest.values()) >= protection.required_approvals:
        return None
    reviews = "approving review is" if protection.required_approvals == 1 else "approving reviews are"
    return f"At least {protection.required_approvals} {reviews} required by reviewers with write access."


def _missing_check(repository: Repository, pull: Pull, protection: Protection) -> str | None:
    if protection.strict and not repository.bare.is_ancestor(_base(repository, pull), pull.head_sha):
        return "The head branch is not up to date with the base branch."
    for context in protection.required_contexts:
        state = checks_state(repository, pull.head_sha, context)
        if state != "success":
            word = {"pending": "pending", "expected": "expected"}.get(state, "failing")
            return f'Required status check "{context}" is {word}.'
    return None


def _base(repository: Repository, pull: Pull) -> str:
    return repository.bare.branch(pull.base) or pull.base_sha


def merge(
    world: World, repository: Repository, pull: Pull, actor: Account, request: MergeRequest, expected: str | None = None
) -> str:
    """Merge, if GitHub would; return the base's new head. `expected` is the head that the caller has seen."""
    _refuse_merge(repository, pull, request, expected)
    made = make_merge(world, repository, pull, actor, request)
    if made is None and request.method == "rebase":
        raise Refusal(405, "This branch can't be rebased")
    if made is None:
        raise Refusal(405, _NOT_MERGEABLE)
    before = repository.bare.branches()
    pull.base_sha = before[pull.base]
    _note_merge(world, repository, pull, made, actor)
    repository.bare.set_ref(f"refs/heads/{pull.base}", made)
    if repository.delete_branch_on_merge and pull.head != repository.default_branch:
        repository.bare.delete_ref(f"refs/heads/{pull.head}")
    refs_moved(world, repository, before, actor)
    return made


def _refuse_merge(repository: Repository, pull: Pull, request: MergeRequest, expected: str | None) -> None:
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
    blocked = _blocked(repository, pull)
    if blocked is not None:
        raise Refusal(405, blocked)


def _note_merge(world: World, repository: Repository, pull: Pull, commit: str, actor: Account) -> None:
    pull.merge_commit = commit
    pull.merged_at = pull.closed_at = pull.updated_at = world.now()
    pull.merged_by = pull.closed_by = actor
    tell_pull(world, repository, pull, "closed", actor)
