"""Tell the source repository how its commits fare: statuses, deployments, and a last word on the pull request.

Runs behind a decision and its actions. Nothing here decides or is waited for: what cannot be told is logged, and told
at a later sweep. What was told last is a note; a settled release that nothing was told of before stays untold, so that
a bot whose notes were lost does not write to every service at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from bot.domain.decision import Decision, Judgement, State
from bot.domain.intake import REGISTRY
from bot.domain.model import Release, Sha
from bot.domain.observation import Observation
from bot.domain.policy import Policy
from bot.domain.pulls import Proposal, Pull
from bot.forge import DeploymentText, StatusText
from bot.making import Maker
from bot.observe import World
from bot.ports import OutsideError, Permanent
from bot.render.signals import Arrived, deployment_text, source_comment, status_text
from bot.telling import Teller, Telling

_EVERY = timedelta(minutes=5)
"""How often numbers alone are told anew; a new state is told at once."""
_LEFT_ALONE = timedelta(minutes=10)
_CALM = frozenset({State.SETTLED, State.ROLLED_BACK, State.PROVEN, State.LET_PASS})
_SOURCE = "liftlock:source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """Which signals are wanted in source repositories."""

    statuses: bool = True
    deployments: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Signaller:
    """Tells of decisions. A repository that refuses is left alone for a while (`refused`)."""

    world: World
    telling: Telling
    kinds: Kinds = Kinds()
    refused: dict[str, datetime] = field(default_factory=dict)

    def tell(self, policy: Policy, observation: Observation, decision: Decision) -> None:
        """Tell of one decision; never raises for what the outside does."""
        since = self.refused.get(policy.source or "")
        if policy.source is None or (since is not None and observation.at - since < _LEFT_ALONE):
            return
        maker = Maker(
            world=self.world,
            forge_url=self.telling.forge_url,
            policy=policy,
            observation=observation,
            decision=decision,
        )
        teller = _Signals(maker=maker, source=policy.source, telling=self.telling, kinds=self.kinds)
        for step in teller.steps():
            try:
                step()
            except OutsideError as error:
                structlog.get_logger().warning(
                    "not told", service=policy.service, system=error.system, reason=error.sentence
                )
                if isinstance(error, Permanent):
                    self.refused[policy.source] = observation.at
                    return


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signals:
    """The signals of one decision."""

    maker: Maker
    source: str
    telling: Telling
    kinds: Kinds

    def steps(self) -> Iterable[Callable[[], None]]:
        for judgement in self.maker.decision.judgements:
            # What the registry offers is told of where it goes to.
            if judgement.stage == REGISTRY or judgement.release is None:
                continue
            if self._is_worth_telling(judgement):
                yield self._telling_of(judgement)
        for stage in self.maker.policy.stages:
            if stage.source is not None and stage.proposing.tells_source:
                yield self._last_word(stage.name)

    def _telling_of(self, judgement: Judgement) -> Callable[[], None]:
        return lambda: self._tell(judgement)

    def _last_word(self, stage: str) -> Callable[[], None]:
        return lambda: self._tell_source_pull(stage)

    # --- statuses and deployments ---

    def _is_worth_telling(self, judgement: Judgement) -> bool:
        """Whether it moves, or was told of when it did."""
        return judgement.state not in _CALM or self._noted(self._key("state", judgement)) is not None

    def _key(self, kind: str, judgement: Judgement) -> str:
        release = judgement.release
        assert release is not None  # noqa: S101 - asked only of judgements with one
        return f"signal/{kind}/{self.maker.policy.service}/{judgement.stage}/{release.image}:{release.tag}"

    def _tell(self, judgement: Judgement) -> None:
        key, now = self._key("state", judgement), self.maker.observation.at
        state = f"{judgement.role}/{judgement.state}"
        told = self._parsed(self._noted(key))
        if told is not None and told[0] == state and (judgement.state in _CALM or now - told[1] < _EVERY):
            return
        known = self._with_revision(judgement)
        if known is not None:
            self._tell_known(known, self._pull_url(judgement.stage))
        self.maker.world.ledger.note(key, json.dumps([state, now.isoformat()]))

    def _with_revision(self, judgement: Judgement) -> tuple[Judgement, Sha] | None:
        assert judgement.release is not None  # noqa: S101 - likewise
        release = self.maker.known(judgement.release)
        if release.revision is None:
            return None
        return replace(judgement, release=release), release.revision

    def _tell_known(self, known: tuple[Judgement, Sha], url: str) -> None:
        judgement, revision = known
        policy, now = self.maker.policy, self.maker.observation.at
        if self.kinds.statuses:
            self._set_status(revision, status_text(policy, judgement, now, url))
        deployment = deployment_text(policy, judgement, now, url) if self.kinds.deployments else None
        if deployment is not None:
            self._set_deployment(deployment)

    def _set_status(self, revision: Sha, status: StatusText) -> None:
        key = f"status/{self.source}/{revision}/{status.context}"
        if self._noted(key) != _digest(status):
            self.maker.world.signals.set_status(self.source, revision, status)
            self.maker.world.ledger.note(key, _digest(status))

    def _set_deployment(self, deployment: DeploymentText) -> None:
        key = f"deployment/{self.source}/{deployment.environment}/{deployment.ref}"
        noted = (self._noted(key) or "").split(" ")
        known = int(noted[0]) if noted[0].isdigit() else None
        if noted[-1] == _digest(deployment):
            return
        made = self.maker.world.signals.set_deployment(self.source, deployment, known)
        self.maker.world.ledger.note(key, f"{made} {_digest(deployment)}")

    def _pull_url(self, stage: str) -> str:
        pull = self._pull(stage)
        return pull.url if pull is not None else ""

    def _pull(self, stage: str) -> Pull | None:
        seen = self.maker.seen(stage)
        for proposal in (seen.promotion, seen.arrival):
            if isinstance(proposal, Proposal) and proposal.pull is not None:
                return proposal.pull
        return None

    # --- the last word on the source pull request ---

    def _tell_source_pull(self, stage: str) -> None:
        """Comment where the change was proposed, once it has arrived or was taken back."""
        arrival = self.maker.seen(stage).arrival
        release = Release.parse(arrival.release) if isinstance(arrival, Proposal) and arrival.release else None
        if not isinstance(arrival, Proposal) or release is None:
            return
        view = Teller(maker=self.maker, telling=self.telling).view(stage, release)
        live = next((step.at for step in view.running.timeline if step.step == "live"), None) if view.running else None
        number = arrival.pull.number if arrival.pull is not None else None
        text = source_comment(view, Arrived(number=number, at=live))
        key = f"source/{self.source}/{self.maker.policy.service}/{stage}/{release.image}:{release.tag}"
        if text is None or self._noted(key) == _digest(text):
            return
        revision = self.maker.known(release).revision
        for pull in self._source_pulls(revision):
            marker = f"{_SOURCE}:{self.maker.policy.service}/{stage}"
            self.maker.world.conversation.write_comment(self.source, pull, marker=marker, body=text, known=None)
        self.maker.world.ledger.note(key, _digest(text))

    def _source_pulls(self, revision: Sha | None) -> Iterable[int]:
        return () if revision is None else self.maker.world.signals.pulls_of(self.source, revision)

    # --- notes ---

    def _noted(self, key: str) -> str | None:
        return self.maker.world.ledger.noted([key]).get(key)

    @staticmethod
    def _parsed(noted: str | None) -> tuple[str, datetime] | None:
        try:
            state, at = json.loads(noted or "null")
            return str(state), datetime.fromisoformat(at)
        except (TypeError, ValueError):
            return None


def _digest(text: StatusText | DeploymentText | str) -> str:
    said = text if isinstance(text, str) else repr(astuple(text))
    return hashlib.sha256(said.encode()).hexdigest()
