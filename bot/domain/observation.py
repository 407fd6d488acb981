"""All that was seen of one service at one instant: beside policy and time, the only input of a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.approvals import Approving
from bot.domain.argo import Ancestry, Application, Memory, NoApplication
from bot.domain.model import Artifact, Checked, Offer, Samples, TagHistory, Trouble
from bot.domain.orders import Order
from bot.domain.proofs import Proven
from bot.domain.pulls import MergeRules, Proposal, Pull
from bot.domain.stops import Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactFacts:
    """What was seen of an artifact: what the registry says of its tag, what is proven of it, and of its source commit.

    `artifact` is None when no registry is configured for the image, the others where the policy asks for nothing.
    """

    artifact: Artifact | Trouble | None = None
    proven: Proven | Trouble | None = None
    checked: Checked | Trouble | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageObservation:
    """All that was seen of one stage. `samples` is keyed by gate or trigger name (`gate:…`, `trigger:…`).

    `ancestry` answers for each revision that the applications report, `memory` is the ledger's of them. `artifact` is
    that of the candidate on its way into this stage (in a first stage, of the release that is set there), None when no
    registry is configured for the image; `proven` is what is proven of it and `checked` of its source commit, both None
    where the policy asks for nothing. `set_there` is the same of the release that is set in a stage which takes its
    releases from the registry: it may have come by hand. `promotion` is the candidate's proposal, `arrival` the one
    that brought the running release, `revert` the one that takes it back; each None if not looked for. `superseded` are
    open proposals for other releases. `apart` says which of the values that move together says another tag than the
    first at the head, empty if none does, or why that could not be read. `approving` is what the forge says of those
    who approved the candidate's proposal, None where nobody was looked up.
    """

    stage: str
    tags: TagHistory | Trouble
    applications: tuple[Application | NoApplication | Trouble, ...] = ()
    ancestry: Ancestry = field(default_factory=Ancestry)
    memory: Memory = field(default_factory=Memory)
    artifact: Artifact | Trouble | None = None
    proven: Proven | Trouble | None = None
    checked: Checked | Trouble | None = None
    set_there: ArtifactFacts | None = None
    samples: Mapping[str, Samples | Trouble]
    promotion: Proposal | Trouble | None = None
    arrival: Proposal | Trouble | None = None
    revert: Proposal | Trouble | None = None
    superseded: tuple[Pull, ...] = ()
    apart: str | Trouble = ""
    approving: Approving | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeFacts:
    """What of the forge concerns all promotions of a repository: its rules, and how many more may be opened now.

    `openings_left` None is no limit; else none are left until `next_opening`, where that is known.
    """

    rules: MergeRules = field(default_factory=MergeRules)
    own_app_id: int | None = None
    openings_left: int | None = None
    next_opening: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How many rollbacks there were of all services `within` the past time, how many are due now, and how many may be.

    What people have ordered is not among those that are due.
    """

    done: int
    due: int
    most: int
    within: timedelta

    @property
    def is_storm(self) -> bool:
        """Whether they are too many to be believed."""
        return self.due > 0 and self.done + self.due > self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that was seen of one service at one instant: beside policy and time, the only input of a decision.

    `policy_since` is when the policy in force came, None for one that the ledger begins with: no window may reach back
    before it (I6). `forge` is None where the forge was not looked at, `orders` are what people commanded.
    `fleet` is what all services together come to, None where nobody asked. `offer` is what the registry offers to the
    stage that takes its releases from there, None where there is none. `stops` are what people have stopped that
    concerns this service.
    """

    service: str
    at: datetime
    policy_since: datetime | None = None
    forge: ForgeFacts | None = None
    orders: tuple[Order, ...] = ()
    fleet: Fleet | None = None
    offer: Offer | Trouble | None = None
    stops: tuple[Stop, ...] = ()
    stages: tuple[StageObservation, ...]

    def stage(self, name: str) -> StageObservation:
        """Return what was seen of the stage `name`; KeyError if it was not looked at."""
        for stage in self.stages:
            if stage.stage == name:
                return stage
        raise KeyError(name)
