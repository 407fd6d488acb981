"""The rest of the outside in memory: the image registry, proofs of artifacts, signals and summaries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.approvals import Writers
from bot.domain.model import Artifact, Digest, ImageFacts, Sha
from bot.domain.proofs import Proofs
from bot.domain.summaries import Summary
from bot.forge import CheckText, DeploymentText, Span, StatusText


@dataclass
class MemoryRegistry:
    """Digests by `image:tag`; None for all others, as without a configured registry. `facts` are by digest."""

    artifacts: dict[str, Artifact] = field(default_factory=dict)
    facts: dict[Digest, ImageFacts] = field(default_factory=dict)

    def add(self, image: str, tag: str, created: datetime, *, revision: Sha | None = None) -> None:
        """Let an image be pushed that was built from a source commit; its digest follows from its name."""
        digest = Digest(f"sha256:{hashlib.sha256(f'{image}:{tag}'.encode()).hexdigest()}")
        self.artifacts[f"{image}:{tag}"] = Artifact(digest=digest, revision=revision)
        self.facts[digest] = ImageFacts(created=created)

    def find_artifact(self, image: str, tag: str) -> Artifact | None:
        """Resolve a tag."""
        return self.artifacts.get(f"{image}:{tag}")

    def list_tags(self, image: str) -> Sequence[str]:
        """Return all tags of an image."""
        names = [name.rpartition(":") for name in self.artifacts]
        return [tag for of, _, tag in names if of == image]

    def read_facts(self, image: str, digest: Digest) -> ImageFacts:
        """Return what an image says of itself."""
        return self.facts.get(digest, ImageFacts())


@dataclass
class MemorySummaries:
    """Keeps summaries by name, unsigned."""

    verifier: str = "https://liftlock.example"
    kept: dict[str, Summary] = field(default_factory=dict)

    def keep(self, name: str, summary: Summary) -> str:
        """Keep a summary."""
        self.kept[name] = summary
        return summary.statement


@dataclass
class MemorySignals:
    """Checks, statuses and deployments as they stand, and source commits as they are set."""

    checks: dict[tuple[str, Sha, str], CheckText] = field(default_factory=dict)
    statuses: dict[tuple[str, Sha, str], StatusText] = field(default_factory=dict)
    deployments: dict[int, tuple[str, DeploymentText]] = field(default_factory=dict)
    source_pulls: dict[Sha, tuple[int, ...]] = field(default_factory=dict)
    files: dict[tuple[Sha, str], str] = field(default_factory=dict)
    spans: dict[tuple[Sha, Sha], Span] = field(default_factory=dict)
    writers: dict[tuple[Sha, Sha], Writers] = field(default_factory=dict)
    reported: dict[tuple[Sha, str], str] = field(default_factory=dict)

    def set_check(self, repository: str, commit: Sha, check: CheckText) -> None:
        """Set a check on a commit."""
        self.checks[repository, commit, check.name] = check

    def set_status(self, repository: str, commit: Sha, status: StatusText) -> None:
        """Set a commit status."""
        self.statuses[repository, commit, status.context] = status

    def set_deployment(self, repository: str, deployment: DeploymentText, known: int | None) -> int:
        """Create a deployment, or use the one that is known."""
        number = known if known is not None else len(self.deployments) + 1
        self.deployments[number] = (repository, deployment)
        return number

    def pulls_of(self, repository: str, commit: Sha) -> Sequence[int]:
        """Return the pull requests that brought a commit."""
        return self.source_pulls.get(commit, ())

    def read_file(self, repository: str, commit: Sha, path: str) -> str | None:
        """Return the text of a file of a source repository."""
        return self.files.get((commit, path))

    def checks_of(self, repository: str, commit: Sha, names: Sequence[str], *, app: int | None) -> Mapping[str, str]:
        """Return how named checks of a commit ended."""
        return {name: self.reported[commit, name] for name in names if (commit, name) in self.reported}

    def span(self, repository: str, before: Sha, after: Sha, *, limit: int) -> Span | None:
        """Return the commits between two."""
        return self.spans.get((before, after))

    def writers_of(self, repository: str, before: Sha, after: Sha) -> Writers | None:
        """Return who wrote the commits between two."""
        return self.writers.get((before, after))


@dataclass
class MemoryProving:
    """Proofs by digest; with `is_configured` every other digest has none, without it no registry is known.

    `proofs` lie in the registry; `at_github` are kept by GitHub, by repository and digest.
    """

    proofs: dict[str, Proofs] = field(default_factory=dict)
    at_github: dict[tuple[str, str], Proofs] = field(default_factory=dict)
    is_configured: bool = False

    def proofs_of(
        self, image: str, digest: Digest, *, in_registry: bool = True, source: str | None = None
    ) -> Proofs | None:
        """Return all proofs of an artifact."""
        if in_registry and digest not in self.proofs and not self.is_configured:
            return None
        none = Proofs(digest=digest)
        here = self.proofs.get(digest, none) if in_registry else none
        there = self.at_github.get((source, digest), none) if source is not None else none
        return Proofs(
            digest=digest,
            signatures=here.signatures + there.signatures,
            statements=here.statements + there.statements,
            unproven=here.unproven + there.unproven,
        )
