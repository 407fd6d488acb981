"""The repositories that services are built from: each release is a pull request that a developer merged there."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.domain.model import Sha
from bot.lab.github import GitHubLab

_BRANCH = "main"


@dataclass(slots=True, kw_only=True)
class Sources:
    """Builds releases from source repositories `acme/SERVICE`."""

    github: GitHubLab
    developer: str
    _built: dict[tuple[str, str], Sha] = field(default_factory=dict)

    def commit_of(self, service: str, tag: str) -> Sha:
        """Return the commit that a release was built from; the first time, propose and merge it."""
        key = service, tag
        if key not in self._built:
            self._built[key] = self._change(service, tag)
        return self._built[key]

    def _change(self, service: str, tag: str) -> Sha:
        repository = f"acme/{service}"
        if repository.lower() not in self.github.world.repositories:
            self.github.create_repository(repository, files={"README.md": f"The service {service}.\n"}, branch=_BRANCH)
            self.github.add_user(self.developer, {repository: "write"})
        branch, title = f"version-{len(self._built)}", f"Bring {service} to {tag}"
        self.github.commit_as(self.developer, repository, branch, {"VERSION": f"{tag}\n"}, title)
        number = self.github.open_pull_as(self.developer, repository, branch, title)
        return self.github.merge_pull(repository, number, self.developer)
