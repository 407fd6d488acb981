"""`liftlock rollback` and `liftlock lift`: what an operator orders on the bot's own machine, without a pull request.

Whoever may write the ledger may order. The order is an entry of it, and the running bot acts on it at its next look.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.faults import refusal, told_in_one_sentence
from bot.cli.options import ConfigOption
from bot.cli.ordering import (
    THEN,
    ByOption,
    ReasonOption,
    held_meanwhile,
    order_of,
    policy_of,
    promoted_stages,
    record_order,
)
from bot.compose.records import read_board, read_ledger
from bot.domain.commands import Verb
from bot.domain.decision import Decision
from bot.domain.model import NOT_SET, Release, TagHistory
from bot.domain.observed import is_revert
from bot.domain.policy import Policy
from bot.domain.tags import is_tag
from bot.domain.text import join_words, one_line
from bot.engine.record import AnotherVersion, parse_decision, parse_observation
from bot.settings import Settings, load_settings


def rollback(
    what: Annotated[
        str, typer.Argument(metavar="SERVICE[/STAGE]", help="The service, and its stage.", show_default=False)
    ],
    reason: ReasonOption,
    by: ByOption = None,
    config: ConfigOption = Path("liftlock.toml"),
) -> None:
    """Order that the release that runs in a stage is taken back, also after its watch, and whatever speaks against it.

    Only an unknown way back still stops it. The release is quarantined by that.
    """
    with told_in_one_sentence():
        settings = load_settings(config)
        service, _, named = what.partition("/")
        policy = policy_of(settings, service)
        stage = _stage(policy, named)
        release = _running(settings, policy, stage)
        order = order_of(Verb.ROLLBACK, policy, stage, release, reason, by)
        record_order(settings, order, f"Rollback asked for by {order.by_login}: {release.tag} is taken out of {stage}.")
        held = held_meanwhile(settings)
    typer.echo(f"Ordered: {service}/{stage} goes back from {release.tag}. {THEN}{held}")


def lift(
    service: Annotated[str, typer.Argument(help="The service.", show_default=False)],
    tag: Annotated[str, typer.Argument(help="The tag of the release.", show_default=False)],
    reason: ReasonOption,
    by: ByOption = None,
    config: ConfigOption = Path("liftlock.toml"),
) -> None:
    """Lift the quarantine of a release that was taken back: it may move again, past the same gates as any other."""
    with told_in_one_sentence():
        settings = load_settings(config)
        policy = policy_of(settings, service)
        if not is_tag(tag):
            raise refusal(f"{one_line(tag, limit=60)!r} is no tag of an image")
        order = order_of(
            Verb.LIFT, policy, promoted_stages(policy)[0], Release(image=policy.image, tag=tag), reason, by
        )
        record_order(settings, order, f"Quarantine lifted by {order.by_login}: {tag} may move again.")
    typer.echo(f"Ordered: {tag} of {service} is not quarantined by what was taken back so far. {THEN}")


# --- what is meant ---------------------------------------------------------------------------------------------------


def _stage(policy: Policy, named: str) -> str:
    stages = promoted_stages(policy)
    if not named and len(stages) == 1:
        return stages[0]
    if named in stages:
        return named
    either = join_words([f"{policy.service}/{name}" for name in stages], "or")
    if not named:
        raise refusal(f"{policy.service} has more than one stage to take back: say {either}")
    is_first = any(stage.name == named for stage in policy.stages)
    why = "is a first stage, which nothing is promoted into" if is_first else "is no stage of it"
    raise refusal(f"{named!r} {why}: say {either}")


def _running(settings: Settings, policy: Policy, stage: str) -> Release:
    """Return the release that the last sweep found in a stage."""
    posting = next((item for item in read_board(settings) if item.subject == policy.service), None)
    told = posting.body.get("decision") if posting is not None else None
    if told is None:
        raise refusal(f"what runs in {policy.service}/{stage} is not known: no look at it has succeeded lately")
    judgement = next(
        (one for one in _decision(told).judgements if (one.stage, one.role) == (stage, "running")),
        None,
    )
    release = judgement.release if judgement is not None else None
    if judgement is None or release is None or release.tag == NOT_SET:
        raise refusal(f"no release is known to run in {policy.service}/{stage}")
    if _came_by_rollback(settings, policy, stage):
        raise refusal(f"{policy.service}/{stage} was taken back to {release.tag} already, and no revert is reverted")
    return release


def _came_by_rollback(settings: Settings, policy: Policy, stage: str) -> bool:
    """Say whether what runs came by a rollback, which is never reverted (I4), by what the newest decision rests on."""
    with read_ledger(settings) as ledger:
        newest = ledger.latest("decision").get(policy.service)
    if newest is None:
        return False
    try:
        tags = parse_observation(newest.body).stage(stage).tags
    except (AnotherVersion, KeyError):
        return False
    return isinstance(tags, TagHistory) and is_revert(tags.introduced)


def _decision(told: object) -> Decision:
    try:
        return parse_decision(told)
    except AnotherVersion:
        raise refusal("the service was last looked at by another version of Liftlock") from None
