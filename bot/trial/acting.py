"""What people do to pull requests in a test, as the forge lets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.domain.naming import promotion_prefix
from bot.domain.policy import Policy
from bot.domain.pulls import Pull, PullState, Review
from bot.trial.cases import Act, Acted, Said
from bot.trial.memory.forge import MemoryForge, account_of


def newest_pull(forge: MemoryForge, policy: Policy, stage: str) -> Pull | None:
    """Return the newest pull request into a stage, a rollback's among them."""
    prefix = promotion_prefix(policy.service, stage)
    found = [pull for pull in forge.pulls.values() if pull.branch.startswith(prefix)]
    return forge.current(found[-1]) if found else None


def comment(forge: MemoryForge, policy: Policy, said: Said) -> str | None:
    """Let a person comment; return why they cannot."""
    pull = newest_pull(forge, policy, said.stage)
    if pull is None:
        return _none_yet(said.stage)
    forge.say(pull.number, said.body, by=said.by)
    return None


def act(forge: MemoryForge, policy: Policy, acted: Acted) -> str | None:
    """Let a person do something to the newest pull request into a stage; return why they cannot."""
    pull = newest_pull(forge, policy, acted.stage)
    if pull is None:
        return _none_yet(acted.stage)
    needed = PullState.CLOSED if acted.act is Act.REOPENS else PullState.OPEN
    if acted.act in _ONLY_IN_ITS_STATE and pull.state is not needed:
        return f"#{pull.number} is {pull.state}"
    if acted.act is Act.MERGES and pull.draft:
        return f"#{pull.number} is a draft, which nobody can merge"
    _ACTS[acted.act](forge, pull, acted)
    return None


def _none_yet(stage: str) -> str:
    return f"there is no pull request into {stage} yet"


_ONLY_IN_ITS_STATE = frozenset(Act) - {Act.LABELS, Act.UNLABELS}


def _merge(forge: MemoryForge, pull: Pull, acted: Acted) -> None:
    message = forge.repositories.commits[pull.head].message
    forge.merge(pull.number, f"Merge pull request #{pull.number} from {pull.branch}\n\n{message}", by=acted.by)


def _close(forge: MemoryForge, pull: Pull, acted: Acted) -> None:
    now = forge.repositories.clock.now()
    forge.edit(pull.number, state=PullState.CLOSED, closed_by=acted.by, closed_by_bot=False, closed_at=now)


def _reopen(forge: MemoryForge, pull: Pull, acted: Acted) -> None:
    forge.edit(pull.number, state=PullState.OPEN, reopened_by=acted.by, closed_by=None, closed_at=None)


def _approve(forge: MemoryForge, pull: Pull, acted: Acted) -> None:
    _review(forge, pull, acted, approves=True)


def _request_changes(forge: MemoryForge, pull: Pull, acted: Acted) -> None:
    _review(forge, pull, acted, approves=False)


def _review(forge: MemoryForge, pull: Pull, acted: Acted, *, approves: bool) -> None:
    """Let the newest review of a person count, and no earlier one."""
    approved = tuple(login for login in pull.reviews.approved_by if login != acted.by)
    refused = tuple(login for login in pull.reviews.changes_requested_by if login != acted.by)
    now = forge.repositories.clock.now()
    review = Review(by_id=account_of(acted.by), by=acted.by, at=now, head=pull.head, approves=approves)
    reviews = replace(
        pull.reviews,
        approved_by=(*approved, acted.by) if approves else approved,
        changes_requested_by=refused if approves else (*refused, acted.by),
        given=(*(one for one in pull.reviews.given if one.by_id != review.by_id), review),
    )
    forge.edit(pull.number, reviews=reviews)


def _mark_draft(forge: MemoryForge, pull: Pull, acted: Acted) -> None:
    forge.edit(pull.number, draft=True, draft_by=acted.by)


def _mark_ready(forge: MemoryForge, pull: Pull, _: Acted) -> None:
    forge.edit(pull.number, draft=False, draft_by=None)


def _label(forge: MemoryForge, pull: Pull, acted: Acted) -> None:
    forge.edit(pull.number, labels=tuple(dict.fromkeys((*pull.labels, acted.label))))


def _unlabel(forge: MemoryForge, pull: Pull, acted: Acted) -> None:
    forge.edit(pull.number, labels=tuple(label for label in pull.labels if label != acted.label))


_ACTS: Mapping[Act, Callable[[MemoryForge, Pull, Acted], None]] = {
    Act.MERGES: _merge,
    Act.CLOSES: _close,
    Act.REOPENS: _reopen,
    Act.APPROVES: _approve,
    Act.REQUESTS_CHANGES: _request_changes,
    Act.MARKS_DRAFT: _mark_draft,
    Act.MARKS_READY: _mark_ready,
    Act.LABELS: _label,
    Act.UNLABELS: _unlabel,
}
