"""Which of an application's sources come from the stage's repository, and their revisions. Pure.

A Helm chart never counts: its revision is a version. Where some of the sources follow the branch that people write to,
those that are pinned to a tag or a commit say nothing about it, and do not count either.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.adapters.argocd_json import Json, object_at, objects_at, text_at, texts_at
from bot.domain.argo import follows_branch
from bot.domain.model import Sha

_SHA = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """What makes a source count: `is_ours` says whether a repoURL is the stage's; an empty `branch` is any."""

    is_ours: Callable[[str], bool]
    branch: str = ""

    def picks(self, sources: tuple[Json, ...]) -> tuple[int, ...]:
        """Return the places of the sources that count, from 0."""
        urls = [text_at(one, "repoURL") if not text_at(one, "chart") else "" for one in sources]
        ours = [place for place, url in enumerate(urls) if url and self.is_ours(url)]
        if not self.branch:
            return tuple(ours)
        following = [one for one in ours if follows_branch(text_at(sources[one], "targetRevision"), self.branch)]
        return tuple(following or ours)


def sources_of(described: Json) -> tuple[Json, ...]:
    """Return the sources in Argo CD's order; `sources` overrides `source`, as it does there."""
    several = objects_at(described, "sources")
    if several:
        return several
    single = object_at(described, "source")
    return (single,) if text_at(single, "repoURL") else ()


def revisions_of(reported: Json, described: Json, spec: Json, counting: Counting) -> tuple[Sha, ...]:
    """Return the revision of each source that counts, or nothing if one of them is not known.

    `reported` holds `revision` or `revisions`; `described` the `source` or `sources` that these belong to, for which
    the spec stands in where Argo CD left them out.
    """
    sources = sources_of(described) or sources_of(spec)
    revisions = texts_at(reported, "revisions") or ((text_at(reported, "revision"),) if len(sources) == 1 else ())
    if len(revisions) != len(sources):
        return ()
    ours = [revisions[place].lower() for place in counting.picks(sources)]
    return tuple(Sha(one) for one in ours) if all(_SHA.match(one) for one in ours) else ()


def as_sha(text: str) -> Sha | None:
    """Return a full object name; None for what is none."""
    return Sha(text.lower()) if _SHA.match(text.lower()) else None
