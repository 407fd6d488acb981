"""May a pull request be merged: mergeability, and what the protection of its base demands, in GitHub's words."""

from __future__ import annotations

from bot.lab.github.checks import checks_state, latest_checks
from bot.lab.github.merging import make_merge
from bot.lab.github.nouns import Account, MergeRequest, Protection, Pull
from bot.lab.github.world import Repository, World

_WRITERS = ("write", "maintain", "admin")


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
    protection = repository.protections.get(pull.base)
    if protection is not None and _is_behind(repository, pull, protection):
        return "behind"
    if blocked(repository, pull) is not None:
        return "blocked"
    states = {checks_state(repository, pull.head_sha, context) for context in latest_checks(repository, pull.head_sha)}
    return "clean" if states <= {"success"} else "unstable"


def blocked(repository: Repository, pull: Pull) -> str | None:
    """Return why the base's protection forbids the merge, in GitHub's words."""
    protection = repository.protections.get(pull.base)
    if protection is None:
        return None
    return _missing_review(repository, pull, protection) or _missing_check(repository, pull, protection)


def review_decision(repository: Repository, pull: Pull) -> str | None:
    """Return GraphQL's word for where the required reviews stand; None where none are required."""
    protection = repository.protections.get(pull.base)
    if protection is None or not protection.required_approvals:
        return None
    states = _opinions(repository, pull)
    if "CHANGES_REQUESTED" in states:
        return "CHANGES_REQUESTED"
    return "APPROVED" if states.count("APPROVED") >= protection.required_approvals else "REVIEW_REQUIRED"


def _opinions(repository: Repository, pull: Pull) -> list[str]:
    """Return the newest opinion of each reviewer whose opinion counts."""
    newest = {one.author.login: one for one in pull.reviews if one.state != "COMMENTED"}
    return [one.state for one in newest.values() if _counts(repository, one.author)]


def _counts(repository: Repository, reviewer: Account) -> bool:
    return reviewer is repository.owner or reviewer.roles.get(repository.full_name) in _WRITERS


def _missing_review(repository: Repository, pull: Pull, protection: Protection) -> str | None:
    opinions = _opinions(repository, pull)
    if protection.required_approvals and "CHANGES_REQUESTED" in opinions:
        return "Changes have been requested by a reviewer with write access."
    if opinions.count("APPROVED") >= protection.required_approvals:
        return None
    reviews = "approving review is" if protection.required_approvals == 1 else "approving reviews are"
    return f"At least {protection.required_approvals} {reviews} required by reviewers with write access."


def _is_behind(repository: Repository, pull: Pull, protection: Protection) -> bool:
    base = repository.bare.branch(pull.base) or pull.base_sha
    return protection.strict and not repository.bare.is_ancestor(base, pull.head_sha)


def _missing_check(repository: Repository, pull: Pull, protection: Protection) -> str | None:
    if _is_behind(repository, pull, protection):
        return "The head branch is not up to date with the base branch."
    for context in protection.required_contexts:
        state = checks_state(repository, pull.head_sha, context, protection.integrations.get(context))
        if state != "success":
            word = {"pending": "pending", "expected": "expected"}.get(state, "failing")
            return f'Required status check "{context}" is {word}.'
    return None
