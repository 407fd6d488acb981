"""The policy of one service as a frozen value: what `bot.policy` parses from YAML and what `decide` reads.

Durations are `timedelta`, limits are shares of 1. Values here are valid by construction of the parser; this module
checks nothing again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.argo import Target
from bot.domain.calendar import Calendar
from bot.domain.edit.kinds import Edit
from bot.domain.intake import REGISTRY, Intake
from bot.domain.model import Sha
from bot.domain.pulls import MergeMethod
from bot.domain.rules import Gate, Trigger
from bot.domain.trust import TrustRule


class CommitsBy(StrEnum):
    """Who makes the bot's commits: git on the bot's machine, or GitHub, which then signs them for a GitHub App."""

    GIT = "git"
    GITHUB = "github"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitOps:
    """The repository (`owner/name`) and branch whose files say what should run where."""

    repository: str
    branch: str
    commits: CommitsBy = CommitsBy.GIT


class AtDeadline(StrEnum):
    """What becomes of a release that has no verdict at its window's deadline.

    `ask` a person; `hold` it where it is, without calling anybody; or `promote` it where it is live and too little was
    counted to prove it, but nothing speaks against it. What was not measured is never let pass (I5): there a person is
    asked.
    """

    ASK = "ask"
    HOLD = "hold"
    PROMOTE = "promote"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthWindow:
    """For how long a release must prove itself after `warmup`, and what is done at `deadline` without a verdict.

    `length`, `warmup` and `deadline` count from the instant at which the release is live; `tile` is the width of the
    non-overlapping counts.
    """

    length: timedelta
    warmup: timedelta
    deadline: timedelta
    tile: timedelta
    at_deadline: AtDeadline = AtDeadline.ASK


class Merge(StrEnum):
    """Who merges a promotion pull request once its gates are healthy."""

    AUTO = "auto"
    HUMAN = "human"


class Road(StrEnum):
    """How a change reaches the tracked branch."""

    COMMIT = "commit"
    PULL_REQUEST = "pull-request"


class Opens(StrEnum):
    """When a promotion's pull request is opened: as a draft once the release is live before, or when it has passed."""

    EARLY = "early"
    ON_PASS = "on-pass"  # noqa: S105  (no password)


class EvidenceIn(StrEnum):
    """Where the evidence stands: in a comment that is edited in place, or in the pull request's body."""

    COMMENT = "comment"
    BODY = "body"


class AutoMerge(StrEnum):
    """Whether the forge's own auto-merge is armed while reviews or checks are missing.

    `bound` asks for a branch that requires the bot's check, reported by this very app: then nothing that turns bad in
    between is merged. `any` does without.
    """

    NEVER = "never"
    BOUND = "bound"
    ANY = "any"


class ApprovedWhen(StrEnum):
    """Whether an approval counts that was given before the release had passed in the stage before."""

    AFTER_WINDOW = "after-window"
    ANY_TIME = "any-time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """That `need` different people (1 to 10) must have approved a pull request at its head before it is merged.

    They come from `people`, logins and teams as in `Proposing`; where none are named, whoever may write in the
    repository counts. With `four_eyes` nobody counts who wrote one of the source commits that come with the release.
    """

    need: int
    people: tuple[str, ...] = ()
    four_eyes: bool = False
    when: ApprovedWhen = ApprovedWhen.ANY_TIME


DEFAULT_TITLE = "Promote {service} to {stage}: {old} → {new}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposing:
    """How a release is proposed to a stage. `by` a commit needs no pull request.

    `method` None takes what the repository allows: a merge commit before a squash before a rebase. `approvers` are
    logins and teams (`@dana`, `@acme/release`) who may approve and override; `notify` whom the bot may mention.
    `tells_source` comments on the source pull request when the release arrives or is taken back. `pause` is how long
    after the window before a release waits at least, while its gates go on being judged. `approvals` None asks for
    none.
    """

    by: Road = Road.PULL_REQUEST
    opens: Opens = Opens.EARLY
    evidence: EvidenceIn = EvidenceIn.COMMENT
    method: MergeMethod | None = None
    auto_merge: AutoMerge = AutoMerge.NEVER
    title: str = DEFAULT_TITLE
    approvers: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    tells_source: bool = False
    pause: timedelta = timedelta(0)
    approvals: Approvals | None = None


class Join(StrEnum):
    """In which of several stages before it a release must have proven itself: in all of them, or in any."""

    ALL = "all"
    ANY = "any"


class SyncBy(StrEnum):
    """Who starts the syncs of a stage's applications: Argo CD or a person, or the bot at the release's commit."""

    ARGOCD = "argocd"
    BOT = "bot"


class ProofsIn(StrEnum):
    """Where proofs of an artifact are looked for: beside it in its registry, or at GitHub, by the source repository."""

    REGISTRY = "registry"
    GITHUB = "github"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """For `watch` after a release is deployed, any trigger that fires takes it back, by commit or pull request.

    Without a person it is done `at_most` so many times within 24 hours, and for `cool_down` after one nothing is merged
    into the stage. `also` are the stages before it out of which the same release is taken then. Without
    `during_freeze` a person is asked while the calendar lets nothing move.
    """

    watch: timedelta
    by: Road
    triggers: tuple[Trigger, ...]
    at_most: int = 3
    cool_down: timedelta = timedelta(0)
    also: tuple[str, ...] = ()
    during_freeze: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One value that says which tag of an image runs somewhere."""

    image: str
    edit: Edit


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One environment. `source` is the stage a release comes from (`from:`), None for the first.

    Where it comes from several, `beside` are the others, and `join` says in how many of them it must prove itself.
    Where `intake` is set, releases come from the image registry by its rule, and `source` is `REGISTRY`: no stage.
    `window` and `gates` judge a release in this stage before it may move on; `rollback` watches it after it came.
    `artifact` is what must be proven of a release's artifact before it enters; in a first stage, before it moves on.
    `proofs_in` are the places that are asked for proofs of it, all of them: GitHub for what it keeps of the source.
    `calendar` says when releases may move into it, beside that of the policy and those of the organisation's floor.
    `together` are further values that are set with that of `edit`, in one commit and to one tag: of other images, or of
    the same one elsewhere. `region_of` is the name that the file has for it and the others of its waves, if it is in
    some.
    """

    name: str
    source: str | None
    edit: Edit
    applications: tuple[Target, ...]
    window: HealthWindow | None
    gates: tuple[Gate, ...]
    merge: Merge
    rollback: Rollback | None
    sync: SyncBy = SyncBy.ARGOCD
    proposing: Proposing = Proposing()
    artifact: tuple[TrustRule, ...] = ()
    intake: Intake | None = None
    proofs_in: tuple[ProofsIn, ...] = (ProofsIn.REGISTRY,)
    calendar: Calendar | None = None
    beside: tuple[str, ...] = ()
    join: Join = Join.ALL
    together: tuple[Place, ...] = ()
    floor_calendars: tuple[Calendar, ...] = ()
    region_of: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The files that a promotion into it may change."""
        return tuple(dict.fromkeys((self.edit.file, *(place.edit.file for place in self.together))))

    @property
    def sources(self) -> tuple[str, ...]:
        """All stages that a release comes from, in the order of the policy; none for a first stage."""
        return () if self.source is None else (self.source, *self.beside)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a policy was read: a repository (`owner/name`) of policies, and a commit of it at which it says just that.

    Normally that is the last commit which changed what the policy rests on. `since` is when it said so at the latest,
    by the times that commits tell of themselves; None where that is not known.
    """

    repository: str
    commit: Sha
    since: datetime | None = None

    @property
    def name(self) -> str:
        """Both, as short as people read them: `acme/policies@abc1234`."""
        return f"{self.repository}@{self.commit[:7]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One service's policy. Evidence names the policy that judged by its `version`.

    That is the SHA-256 of the file's bytes; where the file uses a team's own templates, of that hash and theirs; where
    the organisation's floor has calendars, of that and those. `calendar` is of all stages that releases are promoted
    into. `origin` is None where a local directory was read.
    """

    service: str
    image: str
    source: str | None
    gitops: GitOps
    stages: tuple[Stage, ...]
    file: str
    version: str
    calendar: Calendar | None = None
    origin: Origin | None = None

    def stage(self, name: str) -> Stage:
        """Return the stage `name`; KeyError if there is none.

        Where a stage takes its releases from the registry, that stands for a stage before it, without gates.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        if name == REGISTRY and self.intake_stage is not None:
            return replace(
                self.intake_stage, name=REGISTRY, source=None, intake=None, applications=(), window=None, gates=(),
                rollback=None, artifact=(),
            )  # fmt: skip
        raise KeyError(name)

    @property
    def intake_stage(self) -> Stage | None:
        """The stage that takes its releases from the registry: one at the most."""
        return next((stage for stage in self.stages if stage.intake is not None), None)

    def places_of(self, stage: Stage) -> tuple[Place, ...]:
        """Return all values that a promotion into `stage` sets, that of the policy's image first."""
        return (Place(image=self.image, edit=stage.edit), *stage.together)

    def calendars_of(self, stage: Stage) -> tuple[Calendar, ...]:
        """Return the calendars that must all agree before a release moves into `stage`."""
        own = tuple(calendar for calendar in (self.calendar, stage.calendar) if calendar is not None)
        return (*stage.floor_calendars, *own)

    def targets_of(self, stage: Stage) -> tuple[Stage, ...]:
        """Return the stages that a release enters from `stage`."""
        return tuple(target for target in self.stages if stage.name in target.sources)
