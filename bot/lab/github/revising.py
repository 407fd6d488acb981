"""How a pull request is changed in place: title, body, base, labels, draft or ready. Each change leaves a trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.lab.github.automatic import disarm, leave_queue
from bot.lab.github.call import Refusal, invalid
from bot.lab.github.nouns import Account, Label, Pull
from bot.lab.github.timeline import record, record_labels, tell_pull
from bot.lab.github.world import Repository, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What is to be different; None for what stays. An empty body is one too."""

    title: str | None = None
    body: str | None = None
    base: str | None = None


def revise(world: World, repository: Repository, pull: Pull, wanted: Revision, actor: Account) -> None:
    """Change title, body and base; refuse a base that is not there."""
    if wanted.base is not None and wanted.base not in repository.bare.branches():
        raise _no_such_base(wanted.base)
    if wanted == Revision():
        return
    if wanted.title and wanted.title != pull.title:
        record(world, pull, "RenamedTitleEvent", actor, previousTitle=pull.title, currentTitle=wanted.title)
        pull.title = wanted.title
    if wanted.body is not None and wanted.body != (pull.body or ""):
        pull.body, pull.edited_at = wanted.body or None, world.now()
    if wanted.base is not None and wanted.base != pull.base:
        _move_base(world, repository, pull, wanted.base, actor)
    pull.updated_at = world.now()
    tell_pull(world, repository, pull, "edited", actor)


def _no_such_base(name: str) -> Refusal:
    said = f"Proposed base branch '{name}' was not found"
    return invalid({"resource": "PullRequest", "field": "base", "code": "invalid", "message": said})


def _move_base(world: World, repository: Repository, pull: Pull, base: str, actor: Account) -> None:
    leave_queue(world, repository, pull, actor, "base_changed")
    record(world, pull, "BaseRefChangedEvent", actor, previousRefName=pull.base, currentRefName=base)
    pull.base = base
    pull.base_sha = repository.bare.branch(base) or pull.base_sha
    pull.looks_until_mergeable = world.mergeability_looks
    disarm(world, repository, pull, actor, "Base branch was modified")


def convert_to_draft(world: World, repository: Repository, pull: Pull, actor: Account) -> None:
    """Make a draft of it; a draft stays one."""
    if pull.draft:
        return
    pull.draft, pull.updated_at = True, world.now()
    leave_queue(world, repository, pull, actor, "converted_to_draft")
    record(world, pull, "ConvertToDraftEvent", actor)
    tell_pull(world, repository, pull, "converted_to_draft", actor)


def mark_ready(world: World, repository: Repository, pull: Pull, actor: Account) -> None:
    """Let a draft be ready for review; what is ready stays so."""
    if not pull.draft:
        return
    pull.draft, pull.updated_at = False, world.now()
    record(world, pull, "ReadyForReviewEvent", actor)
    tell_pull(world, repository, pull, "ready_for_review", actor)


def label_named(world: World, repository: Repository, name: str) -> Label:
    """Return a label of the repository; GitHub makes one that is new."""
    return repository.labels.setdefault(name.lower(), Label(id=world.new_id(), name=name))


def set_labels(world: World, repository: Repository, pull: Pull, labels: Iterable[Label], actor: Account) -> None:
    """Let a pull request have these labels and no others."""
    before, pull.labels = pull.labels, list(labels)
    record_labels(world, pull, before, actor)
    if pull.labels == before:
        return
    pull.updated_at = world.now()
    for action, changed in (("unlabeled", _without(before, pull.labels)), ("labeled", _without(pull.labels, before))):
        for _ in changed:
            tell_pull(world, repository, pull, action, actor)


def _without(labels: list[Label], others: list[Label]) -> list[Label]:
    return [label for label in labels if label not in others]
