"""Write hydrated branches into the bare repositories, as Argo CD's commit server does.

The root and every hydrated path get a `hydrator.metadata`, the path also its `manifest.yaml`. Where no manifest
changed there is no commit: the branch's head gets a Git note with the dry commit instead, and the files go on naming
the dry commit of the last change.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot.lab.argo.manifests import MANIFEST_FILE
from bot.lab.argo.repositories import GitRepositories

_NOTES = "hydrator.metadata"
_METADATA_FILE = "hydrator.metadata"
_ATTRIBUTES = "**/README.md linguist-generated=true\n**/hydrator.metadata linguist-generated=true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hydrated:
    """What is to be written: the manifest of each path, made from one dry commit. `base` starts a new branch."""

    repo_url: str
    branch: str
    base: str
    dry_sha: str
    manifests: Mapping[str, str]
    at: datetime


class CommitServer:
    """Writes commits by plumbing, without a work tree."""

    def __init__(self, repositories: GitRepositories) -> None:
        self._git = repositories

    def write(self, hydrated: Hydrated) -> str:
        """Bring a branch up to a dry commit; return its head."""
        parent = self._head(hydrated, hydrated.branch) or self._head(hydrated, hydrated.base)
        changed = {
            path: text for path, text in hydrated.manifests.items() if self._differs(hydrated, parent, path, text)
        }
        head = self._commit(hydrated, parent, changed) if changed or parent is None else parent
        self._git.tell(hydrated.repo_url, "update-ref", f"refs/heads/{hydrated.branch}", head)
        note = json.dumps({"drySha": hydrated.dry_sha})
        self._tell(hydrated, "notes", f"--ref={_NOTES}", "add", "-f", "-m", note, head)
        return head

    def _head(self, hydrated: Hydrated, branch: str) -> str | None:
        found = self._git.ask(hydrated.repo_url, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
        return found.strip() if found else None

    def _differs(self, hydrated: Hydrated, parent: str | None, path: str, text: str) -> bool:
        return parent is None or self._git.ask(hydrated.repo_url, "show", f"{parent}:{path}/{MANIFEST_FILE}") != text

    def _commit(self, hydrated: Hydrated, parent: str | None, changed: Mapping[str, str]) -> str:
        subject = self._dry(hydrated, "%s")
        files = {_METADATA_FILE: self._root_metadata(hydrated), ".gitattributes": _ATTRIBUTES}
        for path, text in changed.items():
            files[f"{path}/{MANIFEST_FILE}"] = text
            files[f"{path}/{_METADATA_FILE}"] = _as_json(repoURL=hydrated.repo_url, drySha=hydrated.dry_sha)
        tree = self._tree(hydrated, parent, files)
        parents = ("-p", parent) if parent else ()
        return self._tell(hydrated, "commit-tree", tree, *parents, "-m", f"{hydrated.dry_sha[:7]}: {subject}")

    def _root_metadata(self, hydrated: Hydrated) -> str:
        return _as_json(
            repoURL=hydrated.repo_url,
            drySha=hydrated.dry_sha,
            author=self._dry(hydrated, "%an <%ae>"),
            date=self._dry(hydrated, "%aI"),
            subject=self._dry(hydrated, "%s"),
            body=self._dry(hydrated, "%b"),
        )

    def _tree(self, hydrated: Hydrated, parent: str | None, files: Mapping[str, str]) -> str:
        with tempfile.TemporaryDirectory(prefix="lab-index-", dir=self._git.directory(hydrated.repo_url)) as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._git.tell(hydrated.repo_url, "read-tree", parent or "--empty", environment=index)
            for path, text in files.items():
                blob = self._git.tell(hydrated.repo_url, "hash-object", "-w", "--stdin", stdin=text)
                entry = f"100644,{blob},{path}"
                self._git.tell(hydrated.repo_url, "update-index", "--add", "--cacheinfo", entry, environment=index)
            return self._git.tell(hydrated.repo_url, "write-tree", environment=index)

    def _dry(self, hydrated: Hydrated, form: str) -> str:
        return self._git.tell(hydrated.repo_url, "show", "-s", f"--format={form}", hydrated.dry_sha)

    def _tell(self, hydrated: Hydrated, *arguments: str) -> str:
        """Run git as Argo CD, at the lab's own time: the same history every time."""
        when = hydrated.at.isoformat(timespec="seconds")
        names = {f"GIT_{role}_NAME": "Argo CD" for role in ("AUTHOR", "COMMITTER")}
        addresses = {f"GIT_{role}_EMAIL": "argo-cd@example.com" for role in ("AUTHOR", "COMMITTER")}
        dates = {f"GIT_{role}_DATE": when for role in ("AUTHOR", "COMMITTER")}
        return self._git.tell(hydrated.repo_url, *arguments, environment={**names, **addresses, **dates})


def _as_json(**fields: str) -> str:
    told = {name: value for name, value in fields.items() if value}
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"
