"""Trees and commits of the Git database as JSON."""

from __future__ import annotations

from bot.lab.github.call import Json
from bot.lab.github.git import Commit
from bot.lab.github.shapes.commits import signature, verification
from bot.lab.github.world import Repository, World


def git_tree(world: World, repo: Repository, sha: str) -> Json:
    """GitHub's `git-tree`: one level of it."""
    git = f"{world.api}/repos/{repo.full_name}/git"
    rows = repo.bare.entries(sha, "") or []
    return {
        "sha": sha,
        "url": f"{git}/trees/{sha}",
        "tree": [_entry(git, row) for row in rows],
        "truncated": False,
    }


def _entry(git: str, row: tuple[str, str, str, int, str]) -> Json:
    mode, kind, sha, size, name = row
    shown: Json = {"path": name, "mode": mode, "type": kind, "sha": sha, "url": f"{git}/{kind}s/{sha}"}
    return {**shown, "size": size} if kind == "blob" else shown


def git_commit(world: World, repo: Repository, one: Commit) -> Json:
    """GitHub's `git-commit`: the object itself, without accounts."""
    git, web = f"{world.api}/repos/{repo.full_name}/git", f"{world.url}/{repo.full_name}/commit"
    return {
        "sha": one.sha,
        "node_id": f"C_{one.sha}",
        "url": f"{git}/commits/{one.sha}",
        "html_url": f"{web}/{one.sha}",
        "author": signature(one.author, one.authored_at),
        "committer": signature(one.committer, one.committed_at),
        "tree": {"sha": one.tree, "url": f"{git}/trees/{one.tree}"},
        "message": one.message,
        "parents": [{"sha": sha, "url": f"{git}/commits/{sha}", "html_url": f"{web}/{sha}"} for sha in one.parents],
        "verification": verification(repo, one.sha),
    }
