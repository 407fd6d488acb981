"""What GitHub does with pull requests: opens, follows pushes, computes mergeability, merges, closes, deletes branches.

Git is asked for everything that git knows. Merges are real ones, in the bare repository.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.lab.github.call import Json, Refusal, invalid
from bot.lab.github.git import GITHUB, Person, Signature
from bot.lab.github.nouns import Account, App, MergeMethod, Protection, Pull, ReviewState, Status
from bot.lab.github.world import Happening, Repository, World

_ENDED_WELL = frozenset({"success", "neutral", "skipped"})


def person(account: Account) -> Person:
    """Return name and address under which GitHub commits for an account."""
    return Person(name=account.login, email=account.email)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a new pull request is to be."""

    title: str
    head: str
    base: str
    body: str | None
    draft: bool


def open_pull(world: World, repo: Repository, author: Account, wanted: Opening, app: App | None = None) -> Pull:
    """Open a pull request, or refuse in GitHub's words."""
    head = wanted.head.removeprefix(f"{repo.owner.login}:")
    head_sha, base_sha = repo.bare.branch(head), repo.bare.branch(wanted.base)
    for field, sha in (("head", head_sha), ("base", base_sha)):
        if sha is None:
            raise invalid({"resource": "PullRequest", "field": field, "code": "invalid"})
    assert head_sha is not None  # noqa: S101 - refused above
    assert base_sha is not None  # noqa: S101 - refused above
    if any(pull.is_open and (pull.head, pull.base) == (head, wanted.base) for pull in repo.pulls.values()):
        raise invalid(_said(f"A pull request already exists for {repo.owner.login}:{head}."))
    if repo.bare.is_ancestor(head_sha, base_sha):
        raise invalid(_said(f"No commits between {wanted.base} and {head}"))
    now = world.now()
    pull = Pull(
        id=world.new_id(),
        number=len(repo.pulls) + 1,
        author=author,
        title=wanted.title,
        body=wanted.body,
        base=wanted.base,
        base_sha=base_sha,
        head=head,
        head_sha=head_sha,
        created_at=now,
        updated_at=now,
        draft=wanted.draft,
        app=app,
        looks_until_mergeable=world.mergeability_looks,
    )
    repo.pulls[pull.number] = pull
    _tell(world, repo, author, pull, "opened")
    return pull


def _said(message: str) -> Json:
    return {"resource": "PullRequest", "code": "custom", "message": message}


def synchronise(world: World, repo: Repository) -> None:
    """Let open pull requests follow their branches: new heads, branches that are gone, heads that were merged."""
    branches = repo.bare.branches()
    for pull in [item for item in repo.pulls.values() if item.is_open]:
        head, base = branches.get(pull.head), branches.get(pull.base)
        if base is not None and base != pull.base_sha and head is not None and repo.bare.is_ancestor(head, base):
            pull.head_sha = head
            _mark_merged(world, repo, pull, repo.owner, base)
        elif head is None:
            close_pull(world, repo, pull, repo.owner)
        elif head != pull.head_sha:
            pull.head_sha, pull.updated_at = head, world.now()
            pull.looks_until_mergeable = world.mergeability_looks
            _tell(world, repo, pull.author, pull, "synchronize")
        if pull.is_open and base is not None:
            pull.base_sha = repo.bare.merge_base(base, pull.head_sha) or pull.base_sha


def mergeable(repo: Repository, pull: Pull) -> bool | None:
    """Say whether a pull request merges without conflict; None while GitHub still computes it."""
    if not pull.is_open:
        return None
    if pull.looks_until_mergeable > 0:
        pull.looks_until_mergeable -= 1
        return None
    base = repo.bare.branch(pull.base)
    return base is not None and repo.bare.merge_tree(base, pull.head_sha) is not None


def close_pull(world: World, repo: Repository, pull: Pull, by: Account) -> None:
    """Close without merging."""
    if not pull.is_open:
        return
    pull.closed_at = pull.updated_at = world.now()
    pull.closed_by = by
    _tell(world, repo, by, pull, "closed")


def reopen_pull(world: World, repo: Repository, pull: Pull, by: Account) -> None:
    """Open a closed pull request again, if its branch is still there."""
    if pull.merged_at is not None or repo.bare.branch(pull.head) is None:
        raise invalid(_said("state cannot be changed. The pull request cannot be reopened."))
    pull.closed_at = pull.closed_by = None
    pull.updated_at = world.now()
    _tell(world, repo, by, pull, "reopened")


# --- merging ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Merging:
    """How a pull request is to be merged. `sha` is the head that the caller has seen."""

    method: MergeMethod
    sha: str | None = None
    title: str | None = None
    message: str | None = None


def merge_pull(world: World, repo: Repository, pull: Pull, by: Account, wanted: Merging) -> str:
    """Merge, or refuse as GitHub does: 405 not allowed, 409 the head moved. Return the commit on the base."""
    _refuse_merge(repo, pull, wanted)
    base = repo.bare.branch(pull.base)
    tree = repo.bare.merge_tree(base, pull.head_sha) if base else None
    if base is None or tree is None:
        raise Refusal(405, "Pull Request is not mergeable")
    signature = Signature(author=person(by), committer=GITHUB, at=world.now())
    title = wanted.title or f"Merge pull request #{pull.number} from {repo.owner.login}/{pull.head}"
    message = wanted.message if wanted.message is not None else pull.title
    parents = [base, pull.head_sha] if wanted.method == "merge" else [base]
    sha = repo.bare.write_commit(tree, parents, f"{title}\n\n{message}".strip() + "\n", signature)
    repo.bare.set_ref(f"refs/heads/{pull.base}", sha)
    repo.pushed_at = world.now()
    _mark_merged(world, repo, pull, by, sha)
    if repo.delete_branch_on_merge and repo.bare.branch(pull.head):
        repo.bare.delete_ref(f"refs/heads/{pull.head}")
    return sha


def _refuse_merge(repo: Repository, pull: Pull, wanted: Merging) -> None:
    if not pull.is_open:
        raise Refusal(405, "Pull Request is not mergeable")
    if pull.draft:
        raise Refusal(405, "Pull Request is still a draft")
    if wanted.method not in repo.merge_methods:
        kind = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}[wanted.method]
        raise Refusal(405, f"{kind} are not allowed on this repository.")
    if wanted.sha is not None and wanted.sha != pull.head_sha:
        raise Refusal(409, "Head branch was modified. Review and try the merge again.")
    protection = repo.protections.get(pull.base)
    if protection is not None:
        _refuse_unprotected(repo, pull, protection)


def _refuse_unprotected(repo: Repository, pull: Pull, protection: Protection) -> None:
    waiting = [context for context in protection.contexts if not _is_green(repo, pull.head_sha, context)]
    if waiting:
        count = len(waiting)
        words = f'Required status check "{waiting[0]}" is expected.'
        raise Refusal(405, words if count == 1 else f"{count} of {len(protection.contexts)} required checks missing.")
    approvals = {item.author.id for item in latest_reviews(pull) if item.state == "APPROVED"}
    if len(approvals) < protection.approvals:
        noun = "review is" if protection.approvals == 1 else "reviews are"
        raise Refusal(405, f"At least {protection.approvals} approving {noun} required by reviewers with write access.")


def latest_reviews(pull: Pull) -> Sequence[ReviewOf]:
    """Return each reviewer's newest decisive review."""
    newest: dict[int, ReviewOf] = {}
    for review in pull.reviews:
        if review.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
            newest[review.author.id] = ReviewOf(author=review.author, state=review.state)
    return list(newest.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOf:
    """A reviewer and how they decided last."""

    author: Account
    state: ReviewState


def newest_statuses(repo: Repository, sha: str) -> list[Status]:
    """Return the newest status of each context on a commit."""
    newest = {item.context: item for item in repo.statuses if item.sha == sha}
    return [newest[context] for context in sorted(newest)]


def _is_green(repo: Repository, sha: str, context: str) -> bool:
    if any(item.context == context and item.state == "success" for item in newest_statuses(repo, sha)):
        return True
    runs = [run for run in repo.check_runs if run.sha == sha and run.name == context]
    return bool(runs) and runs[-1].status == "completed" and runs[-1].conclusion in _ENDED_WELL


def _mark_merged(world: World, repo: Repository, pull: Pull, by: Account, sha: str) -> None:
    now = world.now()
    pull.closed_at = pull.merged_at = pull.updated_at = now
    pull.closed_by = pull.merged_by = by
    pull.merge_commit = sha
    _tell(world, repo, by, pull, "closed")


def commit_files(
    world: World, repo: Repository, by: Account, branch: str, change: tuple[Mapping[str, str | None], str]
) -> str:
    """Commit files to a branch as a person's push does; None deletes one. Return the commit."""
    files, message = change
    parent = repo.bare.branch(branch)
    tree = repo.bare.write_tree(parent, files)
    signature = Signature(author=person(by), committer=person(by), at=world.now())
    sha = repo.bare.write_commit(tree, [parent] if parent else [], message.rstrip("\n") + "\n", signature)
    repo.bare.set_ref(f"refs/heads/{branch}", sha)
    repo.pushed_at = world.now()
    synchronise(world, repo)
    world.tell(Happening(repository=repo, event="push", sender=by, facts={"ref": f"refs/heads/{branch}", "after": sha}))
    return sha


def _tell(world: World, repo: Repository, sender: Account, pull: Pull, action: str) -> None:
    world.tell(
        Happening(repository=repo, event="pull_request", sender=sender, facts={"pull_request": pull}, action=action)
    )
