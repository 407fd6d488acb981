"""Where an application stands with a release, and what it is judged by: the values of the ladder (`ladder.py`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.argo import Ancestry, Application, Mark, MarkKind, follows_branch
from bot.domain.model import Sha
from bot.domain.syncs import Before

CONSENT = "liftlock.dev/authorized-stage"
"""The annotation by which an application lets the bot sync it: its value is `SERVICE:STAGE`."""

ILL = frozenset({"Degraded", "Missing"})
NO_PROOF = ILL | {"Unknown"}
"""Health in whose time a release has proven nothing."""
_SHORT = 7


class Stance(StrEnum):
    """Where one application stands with the release; the worst one of a stage counts."""

    LIVE = "live"
    WAITING = "waiting"
    CANNOT_TELL = "cannot tell"
    UNHEALTHY = "unhealthy"


BADNESS = (Stance.UNHEALTHY, Stance.CANNOT_TELL, Stance.WAITING, Stance.LIVE)
"""The worst first."""


class Want(StrEnum):
    """What would bring an application on: Argo CD has not seen the commit, its status is stale, or nobody syncs it."""

    NOTICE = "notice the commit"
    LOOK = "look at its result"
    SYNC = "sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The release that Git says should run: `tag` of `image`, set by `commit` at `since` on `branch`.

    `authority` is what an application's annotation must say for the bot to sync it, empty where the policy leaves
    syncs to Argo CD; `barred` is why the bot must not sync to this release whoever consents, empty where it may.
    `together` are other images that move with it, at the same tag: an application may run any of them.
    """

    image: str
    tag: str
    commit: Sha
    since: datetime
    branch: str = ""
    authority: str = ""
    barred: str = ""
    together: tuple[str, ...] = ()

    def tracks(self, target: str) -> bool:
        """Say whether a target revision follows the branch; where no branch is known, it is taken to."""
        return not self.branch or follows_branch(target, self.branch)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationStance:
    """One application's stance with its reason, and what would bring it on.

    `saw_at` is when Argo CD was first seen to know the release's commit. The first sync of the release lasted from
    `began_at` to `deployed_at`; the one may not be known where the other is. `before` says what is known of the time
    before, `came_at` when the release came to an application that ran another one. `runs_release` is false where Argo
    CD lists the images that run, and the release's is not among them. `sync_failed`: the sync of the release has
    failed, and nothing else can be the cause.
    """

    name: str
    stance: Stance
    reason: str
    want: Want | None = None
    saw_at: datetime | None = None
    began_at: datetime | None = None
    deployed_at: datetime | None = None
    before: Before = Before.ANOTHER
    came_at: datetime | None = None
    runs_release: bool = True
    is_out_of_sync: bool = False
    sync_failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One application with everything that its rungs look at."""

    app: Application
    expected: Expected
    ancestry: Ancestry
    now: datetime
    marks: tuple[Mark, ...] = field(default=())

    def says(self, stance: Stance, reason: str, *, want: Want | None = None) -> ApplicationStance:
        """Answer with the application's name before the reason."""
        reason = f"{self.app.name}: {reason}"
        return ApplicationStance(name=self.app.name, stance=stance, reason=reason, want=want)

    def asked(self, *kinds: MarkKind) -> datetime | None:
        """Return when the bot last asked Argo CD for one of these."""
        return max((mark.at for mark in self.marks if mark.kind in kinds), default=None)

    @property
    def commit(self) -> str:
        """The release's commit and what it brought, for sentences."""
        return f"{self.expected.commit[:_SHORT]}, which brought {self.expected.tag}"
