"""Commits made by GitHub itself, through the REST API's Git database: it signs them for a GitHub App.

Enters: the parent, its tree, whole files and a message. Leaves: the names of the new commit and of its tree, or
`Transient`, `Permanent` and `Conflict` with one sentence. It moves no ref, so nothing of it can be seen on a branch.

GitHub signs a commit of an app, which is then shown as verified, only where the request names no author, no committer
and no signature ("Signature verification for bots" in GitHub's documentation): none of them is ever sent here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.adapters.github.answers import SYSTEM, Refused
from bot.adapters.github.asking import Write
from bot.adapters.github.clients import Clients
from bot.adapters.github.names import check_repository
from bot.adapters.github.nodes import Node
from bot.adapters.scrub import as_sentence
from bot.domain.model import Sha
from bot.forge import Urgency
from bot.ports import Conflict, FileContent, Permanent, Transient

_FULL_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FILE_MODES = ("100644", "100755")

# GitHub's words. The first is said now and then of a tree that it has made a moment ago (dependabot-core tries again).
_TREE_NOT_FOUND = "tree sha does not exist"
_BASE_NOT_FOUND = ("is not a valid tree oid", "parent sha does not exist")


class GitHubCommits:
    """Commits through GitHub's API. Safe to share between threads."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def create(
        self, repository: str, *, parent: Sha, base_tree: Sha, files: Sequence[FileContent], message: str
    ) -> tuple[Sha, Sha]:
        """Make a commit object on the server, on no branch; return (commit, its tree).

        The tree is `base_tree` with these files in their places. Costs two writes and no read. A lost answer leaves
        objects that nothing refers to and that GitHub clears away: after `Transient` the whole call may be made again.
        `Conflict` says that GitHub does not have the parent or its tree (any more).
        """
        check_repository(repository)
        _check_modes(files)
        try:
            tree = self._create_tree(repository, base_tree, files)
            return self._create_commit(repository, tree, parent, message), tree
        except Refused as refused:
            said = refused.said.lower()
            if _TREE_NOT_FOUND in said:
                raise Transient(SYSTEM, f"{refused.sentence} (it was made a moment ago)") from refused
            if any(words in said for words in _BASE_NOT_FOUND):
                raise Conflict(SYSTEM, f"{refused.sentence}: look again") from refused
            raise

    def _create_tree(self, repository: str, base_tree: Sha, files: Sequence[FileContent]) -> Sha:
        tried = f"write the files of a commit in {repository}"

        entries = [{"path": file.path, "mode": file.mode, "type": "blob", "content": file.text} for file in files]
        body = {"base_tree": base_tree, "tree": entries}
        return self._create(repository, "trees", body, tried)

    def _create_commit(self, repository: str, tree: Sha, parent: Sha, message: str) -> Sha:
        body = {"message": message, "tree": tree, "parents": [parent]}
        return self._create(repository, "commits", body, f"write a commit in {repository}")

    def _create(self, repository: str, kind: str, body: Mapping[str, object], tried: str) -> Sha:
        path = f"/repos/{repository}/git/{kind}"
        write = Write(verb="POST", path=path, tried=tried, body=body, urgency=Urgency.PROPOSE)
        return _parse_name(self._clients.write(repository, write, lambda made: Node(made).maybe_text("sha")), tried)


def _parse_name(answered: str | None, tried: str) -> Sha:
    if answered is None or not _FULL_NAME.fullmatch(answered):
        shown = as_sentence(answered or "nothing", longest=60)
        raise Permanent(SYSTEM, f"could not {tried}: GitHub answered “{shown}” where the name of an object belongs")
    return Sha(answered)


def _check_modes(files: Sequence[FileContent]) -> None:
    """Let no symbolic link, subtree or submodule through."""
    for file in files:
        if file.mode not in _FILE_MODES:
            shown = as_sentence(f"{file.path} the mode {file.mode}", longest=100)
            raise Permanent(SYSTEM, f"the bot does not give {shown}: it writes plain files only")
