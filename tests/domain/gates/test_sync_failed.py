"""The trigger `argocd-sync-failed`: only a failure that can be of nothing but the release, and only after a while.

| the last sync of the application               | verdict                    |
|------------------------------------------------|----------------------------|
| Failed at exactly the release's commit         | not yet, then unhealthy    |
| the same, but the release was synced before    | healthy                    |
| Error, terminated, or of a later commit        | healthy: not the release's |
| goes on, or succeeded                          | healthy                    |
| Argo CD does not answer                        | cannot tell                |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.argo import Application, Deployed, Operation
from bot.domain.decide import decide
from bot.domain.decision import Decision, RollBack, State
from bot.domain.model import Carries, Sha, Trouble
from bot.domain.rules import SyncFailedTrigger
from bot.domain.verdicts import ApplicationEvidence, Verdict, VerdictKind
from tests.builders import (
    HEAD,
    MINUTE,
    NOON,
    OLD,
    PROMOTION_COMMIT,
    a_change,
    a_policy,
    a_rollback,
    a_stage,
    an_application,
    an_observation,
    promoted,
    tags,
)

POLICY = a_policy(rollback=a_rollback(triggers=(SyncFailedTrigger(name="argocd-sync-failed", lasting=5 * MINUTE),)))
ENDED = NOON + 2 * MINUTE
BLIND = Trouble(system="Argo CD", sentence="no answer")


def an_attempt(
    *,
    phase: str = "Failed",
    revision: Sha = PROMOTION_COMMIT,
    message: str = "Deployment is invalid",
    ended: bool = True,
) -> Application:
    """An application that runs 1.8.2 still, and was to be synced to 1.9.0 at noon."""
    operation = Operation(
        phase=phase,
        revisions=(revision,),
        started_at=NOON + MINUTE,
        finished_at=ENDED if ended else None,
        message=message,
    )
    app = an_application("checkout-production", tag=OLD, sync="OutOfSync", revision=PROMOTION_COMMIT)
    return replace(app, operation=operation, reconciled_at=ENDED + MINUTE)


def decided(*applications: Application | Trouble, minutes: int) -> Decision:
    history = tags(promoted("1.9.0"), a_change(OLD, old="1.8.1", at=NOON - timedelta(days=3)))
    carries = {PROMOTION_COMMIT: Carries.YES, HEAD: Carries.YES}
    production = a_stage("production", history, applications=applications, carries=carries)
    now: datetime = NOON + minutes * MINUTE
    return decide(POLICY, an_observation(production=production, at=now), now)


def verdict(*applications: Application | Trouble, minutes: int = 30) -> Verdict:
    decision = decided(*applications, minutes=minutes)
    (found,) = next(one for one in decision.judgements if (one.stage, one.role) == ("production", "running")).verdicts
    return found


def rollbacks(decision: Decision) -> Sequence[RollBack]:
    return [action for action in decision.actions if isinstance(action, RollBack)]


def test_a_release_that_argocd_cannot_sync_for_a_while_is_taken_back() -> None:
    (action,) = rollbacks(decided(an_attempt(), minutes=7))
    assert action.reason == (
        "argocd-sync-failed: checkout-production: the sync of this release ended as Failed: Deployment is invalid; "
        "5m ago, limit 5m"
    )


def test_until_then_it_is_waited_for_another_try() -> None:
    found = verdict(an_attempt(), minutes=5)
    assert found.kind is VerdictKind.NOT_YET
    assert found.reason.endswith("ended as Failed: Deployment is invalid; fires 5m after it")
    assert found.would_change == "2m more without a new try, or a sync that succeeds"
    assert rollbacks(decided(an_attempt(), minutes=5)) == []


@pytest.mark.parametrize(
    "application",
    [
        pytest.param(an_attempt(phase="Error"), id="an error may be the cluster's"),
        pytest.param(an_attempt(message="Operation terminated"), id="somebody ended it"),
        pytest.param(an_attempt(revision=HEAD), id="a later commit is in it, too"),
        pytest.param(an_attempt(phase="Running", ended=False), id="it goes on"),
        pytest.param(an_attempt(ended=False), id="its end is not known"),
        pytest.param(
            replace(an_attempt(), history=(Deployed(revisions=(PROMOTION_COMMIT,), at=NOON + MINUTE, number=1),)),
            id="it was synced before",
        ),
        pytest.param(an_application("checkout-production"), id="it succeeded"),
    ],
)
def test_what_may_not_be_the_fault_of_the_release_takes_nothing_back(application: Application) -> None:
    assert verdict(application).kind is VerdictKind.HEALTHY
    assert rollbacks(decided(application, minutes=30)) == []


@pytest.mark.invariant("I5")
def test_an_argocd_that_does_not_answer_takes_nothing_back() -> None:
    assert (verdict(BLIND).kind, verdict(BLIND).reason) == (VerdictKind.CANNOT_TELL, "no answer")
    assert rollbacks(decided(BLIND, minutes=30)) == []


def test_one_application_that_cannot_be_synced_is_enough_and_the_longest_failure_is_told() -> None:
    other = replace(an_attempt(), name="checkout-us", operation=replace(_operation(), finished_at=NOON + 5 * MINUTE))
    found = verdict(other, an_attempt(), BLIND, minutes=8)
    assert found.kind is VerdictKind.UNHEALTHY
    assert found.reason.startswith("checkout-production: ")
    assert isinstance(found.evidence, ApplicationEvidence)
    assert len(found.evidence.sentences) == 2


def _operation() -> Operation:
    operation = an_attempt().operation
    assert operation is not None
    return operation


def test_in_the_shadow_it_is_only_shown() -> None:
    shadow = SyncFailedTrigger(name="argocd-sync-failed", lasting=5 * MINUTE, is_shadow=True)
    policy = a_policy(rollback=a_rollback(triggers=(shadow,)))
    production = a_stage(
        "production",
        tags(promoted("1.9.0"), a_change(OLD, old="1.8.1", at=NOON - timedelta(days=3))),
        applications=(an_attempt(),),
        carries={PROMOTION_COMMIT: Carries.YES},
    )
    decision = decide(policy, an_observation(production=production, at=NOON + 30 * MINUTE), NOON + 30 * MINUTE)
    assert rollbacks(decision) == []
    states = [one.state for one in decision.judgements if (one.stage, one.role) == ("production", "running")]
    assert states == [State.WATCHING]
