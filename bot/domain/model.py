"""The nouns of the design as frozen values: releases, what Git, Argo CD, GitHub and Prometheus said, verdicts.

Everything here is plain data. Instants are aware UTC datetimes. A fact that could not be read is a `Trouble` in the
place of the value, never `None`: absence of data must stay visible up to the decision (invariant I5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, NewType

Sha = NewType("Sha", str)
"""A full git object name, lower-case hexadecimal (40 or 64 characters)."""
Digest = NewType("Digest", str)
"""An OCI digest, `sha256:` and 64 hexadecimal characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A fact that could not be read: which system, and one sentence for people. Never carries a secret."""

    system: str
    sentence: str
    kind: Literal["trouble"] = "trouble"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What moves: an image at a tag, with its digest and source commit where the registry told them."""

    image: str
    tag: str
    digest: Digest | None = None
    revision: Sha | None = None

    @property
    def name(self) -> str:
        """The release as people and trailers write it: `image:tag`, with `@digest` where it is known."""
        return f"{self.image}:{self.tag}" + (f"@{self.digest}" if self.digest else "")

    @classmethod
    def parse(cls, name: str) -> Release | None:
        """Read back a `name`; None for a text that is none."""
        image_and_tag, _, digest = name.partition("@")
        image, _, tag = image_and_tag.rpartition(":")
        if not image or not tag:
            return None
        return cls(image=image, tag=tag, digest=Digest(digest) if digest else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What the registry says of a tag: the digest it points at now, and the source commit from the image's labels.

    `first_digest` is what it pointed at when the release was first looked at in the stage before, where that is known;
    of several stages before, in `first_in`, which is one where it was another than now if there is such a one.
    """

    digest: Digest
    revision: Sha | None = None
    first_digest: Digest | None = None
    first_in: str = ""
    kind: Literal["artifact"] = "artifact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the forge says of a source commit: `passed`, `failed` or `running` for each check, named `RULE/CHECK`."""

    commit: Sha
    outcomes: Mapping[str, str]
    kind: Literal["checked"] = "checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What an image says of itself; None where it says nothing that can be read. A build wrote it: it proves nothing.

    `revision` is a whole commit name, `source` the address of the repository it was built from, `created` the instant
    of its annotation or label. `built_at` is the instant in its configuration, a fixed one from a reproducible build.
    """

    revision: Sha | None = None
    source: str | None = None
    version: str | None = None
    created: datetime | None = None
    built_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the registry offers to a stage by the stage's rule on tags; `tag` None: nothing, and `reason` says why.

    `is_new` says that the registry did not have the tag yet when the bot first saw the commit that set the present one.
    """

    tag: str | None
    is_new: bool
    reason: str
    kind: Literal["offer"] = "offer"


# --- Git -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Trailers:
    """The commit trailers that Liftlock writes (DESIGN.md, section 4), for one service and stage.

    `promotes` is the move, `staging -> production`; `reverts` is the SHA of the promotion commit that was taken back;
    `release` is the release concerned: in a revert, the one that is quarantined. `summary` is the hash of the
    verification summary that was written of a promotion.
    """

    service: str
    stage: str
    release: str
    promotes: str | None = None
    reverts: Sha | None = None
    evidence: str | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagChange:
    """One commit of the tracked branch that changed a stage's tag. `old` is None where the value did not exist.

    `at` is when the branch got it, `written_at` when its author wrote it, where that is known.
    """

    commit: Sha
    at: datetime
    author: str
    old: str | None
    new: str
    trailers: Trailers | None = None
    written_at: datetime | None = None


NOT_SET = ""
"""The tag of a stage whose file says nothing yet, where the policy lets the first promotion add it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagHistory:
    """What Git says of a stage: the tag at the branch's head and the commits that set it, newest first.

    `changes[0]` introduced the present tag. `complete` says whether the walk reached the first one; a long history is
    read only as far as a bound.
    """

    head: Sha
    tag: str
    changes: tuple[TagChange, ...]
    complete: bool
    kind: Literal["tags"] = "tags"

    @property
    def introduced(self) -> TagChange:
        """The change that set the tag which stands at the head."""
        return self.changes[0]


class Carries(StrEnum):
    """Whether a revision that Argo CD reports contains the commit that introduced the tag, and still has the tag."""

    YES = "yes"
    BEHIND = "behind"
    OTHER_TAG = "other tag"
    UNKNOWN = "unknown"


# --- Prometheus ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """Counts over the half-open time `(start, start + width]`. `total` is None where there was no series at all."""

    start: datetime
    width: timedelta
    total: float | None
    bad: float | None

    @property
    def end(self) -> datetime:
        """The tile's last instant."""
        return self.start + self.width


Numbers = tuple[float | None, ...]
"""What a query gave for each tile of a stretch of time, oldest first; None where there was no series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The numbers of one gate for one release: one for each tile and each of the gate's queries, by their roles.

    `start` and `end` bound what was asked for in tiles of `width`; a None inside these bounds is absent data. `lag` is
    how old a tile must be before it is read, `scrape` how often the backend scrapes, None where unknown. `note` is what
    the backend said beside, such as a histogram's bounds.
    """

    start: datetime
    end: datetime
    width: timedelta
    numbers: Mapping[str, Numbers]
    queries: tuple[str, ...]
    backend: str
    lag: timedelta = timedelta(0)
    scrape: timedelta | None = None
    note: str = ""
    kind: Literal["samples"] = "samples"

    @property
    def starts(self) -> tuple[datetime, ...]:
        """Where each tile begins."""
        return tuple(self.start + n * self.width for n in range((self.end - self.start) // self.width))
