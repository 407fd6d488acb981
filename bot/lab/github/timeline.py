"""What becomes of a pull request: the entries of its timeline, each with who did it and when, and word to webhooks."""

from __future__ import annotations

from bot.lab.github.nouns import Account, Event, Label, Pull
from bot.lab.github.world import Happening, Repository, World


def record(world: World, pull: Pull, kind: str, actor: Account | None, **facts: object) -> None:
    """Add an entry. `kind` is GraphQL's name of its type, `facts` are the fields that only this kind has."""
    pull.events.append(Event(id=world.new_id(), kind=kind, actor=actor, at=world.now(), facts=facts))


def record_labels(world: World, pull: Pull, before: list[Label], actor: Account) -> None:
    """Add an entry for each label that a pull request has got or lost."""
    for label in before:
        if label not in pull.labels:
            record(world, pull, "UnlabeledEvent", actor, label=label)
    for label in pull.labels:
        if label not in before:
            record(world, pull, "LabeledEvent", actor, label=label)


def tell_pull(world: World, repository: Repository, pull: Pull, action: str, sender: Account) -> None:
    """Tell webhooks of a pull request."""
    facts = {"pull_request": pull, "number": pull.number}
    happening = Happening(repository=repository, event="pull_request", action=action, sender=sender, facts=facts)
    world.tell(happening)
