"""What came to each stage by Git, commit after commit, and how: by hand, by a promotion, or by taking one back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from bot.domain.model import Sha
from bot.domain.trailers import parse_trailers
from tests.fake_forge import BOT
from tests.properties.living_world import FILES, STAGES, WATCH, LivingWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A commit that set a stage's tag. `how` it came: "by hand", "promoted", or "taken back"."""

    tag: str
    before: str
    commit: Sha
    at: datetime
    how: str


@dataclass
class Chronicle:
    """Everything that came to main; `wrongs` are commits of the bot's that changed what they must not (I14)."""

    world: LivingWorld
    arrivals: Mapping[str, list[Arrival]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    known: set[Sha] = field(default_factory=set)
    wrongs: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Note what has come to main since the last time."""
        if self.world.head in self.known:
            return
        commits = self.world.repositories.commits
        new = [one for one in self.world.repositories.line(self.world.head) if one.sha not in self.known]
        for commit in reversed(new):
            self.known.add(commit.sha)
            before = commits[commit.parent].files if commit.parent is not None else {}
            if commit.author == BOT:
                self._check_edit(before, commit.files)
            for stage, arrivals in self.arrivals.items():
                tag = self.world.tag(stage, commit.sha)
                was = self.world.tag(stage, commit.parent) if commit.parent is not None else ""
                if tag != was:
                    how = how_it_came(commit.message)
                    arrivals.append(Arrival(tag=tag, before=was, commit=commit.sha, at=commit.at, how=how))

    def _check_edit(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        changed = [path for path in after if before.get(path) != after[path]]
        if changed not in [[FILES[stage]] for stage in STAGES]:
            self.wrongs.append(f"I14: the bot changed {changed}")
            return
        old, new = (text[changed[0]].splitlines() for text in (before, after))
        others = [(a, b) for a, b in zip(old, new, strict=False) if a != b and "ag: " not in b]
        if len(old) != len(new) or others:
            self.wrongs.append(f"I14: more than the tag was changed: {others}")

    def came(self, stage: str) -> Arrival:
        """Return what came to a stage last."""
        self.read()
        return self.arrivals[stage][-1]

    def taken_back(self, stage: str) -> list[Arrival]:
        """Return by which arrivals something was taken back from a stage."""
        self.read()
        return [one for one in self.arrivals[stage] if one.how == "taken back"]

    def taken_back_at(self, tag: str) -> datetime | None:
        """Return when a release was taken back for the last time, from whichever stage."""
        return max((one.at for stage in STAGES for one in self.taken_back(stage) if one.before == tag), default=None)

    def had_at(self, tag: str) -> datetime | None:
        """Return when production got a release for the last time; None if it never did."""
        self.read()
        return max((one.at for one in self.arrivals["production"] if one.tag == tag), default=None)

    def has_proven(self, stage: str, tag: str) -> bool:
        """Say whether a release stood in a stage for a whole watch, or since before anybody knows."""
        arrivals = self.arrivals[stage]
        # A stage that is not watched has no watch to stand for.
        least = WATCH if stage == "production" else 0 * WATCH
        stands = pairwise(arrivals)
        return tag == arrivals[0].tag or any(one.tag == tag and after.at - one.at >= least for one, after in stands)


def how_it_came(message: str) -> str:
    """Say by its message what a commit that changed a tag was."""
    trailers = parse_trailers(message)
    if trailers is None:
        return "by hand"
    return "taken back" if trailers.reverts is not None else "promoted"
