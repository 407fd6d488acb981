"""Commits, diffs, refs, branches and files as JSON."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from bot.lab.github.call import Json
from bot.lab.github.diffs import FileChange
from bot.lab.github.git import EMPTY_TREE, Commit, Person
from bot.lab.github.nouns import MergeQueue, Protection
from bot.lab.github.shapes.repos import instant, optional_account
from bot.lab.github.world import Repository, World


def _api(world: World, repo: Repository) -> str:
    return f"{world.api}/repos/{repo.full_name}"


def _web(world: World, repo: Repository) -> str:
    return f"{world.url}/{repo.full_name}"


def signature(who: Person, at: datetime) -> Json:
    """Who wrote or committed, and when."""
    return {"name": who.name, "email": who.email, "date": instant(at.astimezone(UTC))}


def verification(repo: Repository, sha: str) -> Json:
    """Whether GitHub vouches for a commit: only for those that it signed itself."""
    seal = repo.seals.get(sha)
    if seal is None:
        return {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
    return {
        "verified": True,
        "reason": "valid",
        "signature": seal.signature,
        "payload": seal.payload,
        "verified_at": instant(seal.at),
    }


def commit(world: World, repo: Repository, one: Commit) -> Json:
    """GitHub's `commit`, without its diff."""
    api, web = _api(world, repo), _web(world, repo)
    return {
        "sha": one.sha,
        "node_id": f"C_{one.sha}",
        "commit": {
            "author": signature(one.author, one.authored_at),
            "committer": signature(one.committer, one.committed_at),
            "message": one.message,
            "tree": {"sha": one.tree, "url": f"{api}/git/trees/{one.tree}"},
            "url": f"{api}/git/commits/{one.sha}",
            "comment_count": 0,
            "verification": verification(repo, one.sha),
        },
        "url": f"{api}/commits/{one.sha}",
        "html_url": f"{web}/commit/{one.sha}",
        "comments_url": f"{api}/commits/{one.sha}/comments",
        "author": optional_account(world, world.account_by_email(one.author.email)),
        "committer": optional_account(world, world.account_by_email(one.committer.email)),
        "parents": [
            {"sha": sha, "url": f"{api}/commits/{sha}", "html_url": f"{web}/commit/{sha}"} for sha in one.parents
        ],
    }


def whole_commit(world: World, repo: Repository, one: Commit) -> Json:
    """GitHub's `commit` with the diff to its first parent."""
    changes = repo.bare.changes(one.parents[0] if one.parents else EMPTY_TREE, one.sha)
    added, deleted = sum(change.additions for change in changes), sum(change.deletions for change in changes)
    return {
        **commit(world, repo, one),
        "stats": {"total": added + deleted, "additions": added, "deletions": deleted},
        "files": [file_change(world, repo, change, one.sha) for change in changes],
    }


def file_change(world: World, repo: Repository, change: FileChange, sha: str) -> Json:
    """GitHub's `diff-entry`."""
    path = quote(change.path)
    shown: Json = {
        "sha": change.blob,
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": f"{_web(world, repo)}/blob/{sha}/{path}",
        "raw_url": f"{_web(world, repo)}/raw/{sha}/{path}",
        "contents_url": f"{_api(world, repo)}/contents/{path}?ref={sha}",
    }
    if change.patch is not None:
        shown["patch"] = change.patch
    if change.previous is not None:
        shown["previous_filename"] = change.previous
    return shown


def ref(world: World, repo: Repository, name: str, sha: str) -> Json:
    """GitHub's `git-ref`."""
    api = _api(world, repo)
    return {
        "ref": name,
        "node_id": f"REF_{base64.urlsafe_b64encode(name.encode()).decode()}",
        "url": f"{api}/git/{quote(name)}",
        "object": {"sha": sha, "type": "commit", "url": f"{api}/git/commits/{sha}"},
    }


def short_branch(world: World, repo: Repository, name: str, sha: str) -> Json:
    """GitHub's `short-branch`."""
    return {
        "name": name,
        "commit": {"sha": sha, "url": f"{_api(world, repo)}/commits/{sha}"},
        "protected": name in repo.protections,
    }


def branch(world: World, repo: Repository, name: str, sha: str) -> Json:
    """GitHub's `branch-with-protection`."""
    here = f"{_api(world, repo)}/branches/{quote(name)}"
    protection = repo.protections.get(name)
    contexts = list(protection.required_contexts) if protection else []
    return {
        "name": name,
        "commit": commit(world, repo, repo.bare.commit(sha)),
        "_links": {"self": here, "html": f"{_web(world, repo)}/tree/{quote(name)}"},
        "protected": protection is not None,
        "protection": {
            "enabled": protection is not None,
            "required_status_checks": {
                "enforcement_level": "everyone" if contexts else "off",
                "contexts": contexts,
                "checks": [{"context": context, "app_id": _bound(protection, context)} for context in contexts],
            },
        },
        "protection_url": f"{here}/protection",
    }


def _bound(one: Protection | None, context: str) -> int | None:
    return None if one is None else one.integrations.get(context)


def protection(world: World, repo: Repository, name: str, one: Protection) -> Json:
    """GitHub's `branch-protection`."""
    here = f"{_api(world, repo)}/branches/{quote(name)}/protection"
    shown: Json = {
        "url": here,
        "enforce_admins": {"url": f"{here}/enforce_admins", "enabled": one.enforce_admins},
        "required_linear_history": {"enabled": False},
        "allow_force_pushes": {"enabled": False},
        "allow_deletions": {"enabled": False},
    }
    if one.required_contexts:
        shown["required_status_checks"] = {
            "url": f"{here}/required_status_checks",
            "strict": one.strict,
            "contexts": list(one.required_contexts),
            "contexts_url": f"{here}/required_status_checks/contexts",
            "checks": [{"context": context, "app_id": _bound(one, context)} for context in one.required_contexts],
        }
    if one.demands_pull_request:
        shown["required_pull_request_reviews"] = {
            "url": f"{here}/required_pull_request_reviews",
            "dismiss_stale_reviews": one.dismiss_stale_reviews,
            "require_code_owner_reviews": False,
            "required_approving_review_count": one.required_approvals,
            "require_last_push_approval": False,
        }
    return shown


def rules(repo: Repository, one: Protection) -> list[Json]:
    """GitHub's `repository-rule-detailed`, as far as the lab's protection goes."""
    found: list[Json] = [{"type": "deletion"}, {"type": "non_fast_forward"}]
    if one.demands_pull_request:
        parameters = {
            "required_approving_review_count": one.required_approvals,
            "dismiss_stale_reviews_on_push": one.dismiss_stale_reviews,
            "require_code_owner_review": False,
            "require_last_push_approval": False,
            "required_review_thread_resolution": False,
            "allowed_merge_methods": list(repo.merge_methods),
        }
        found.append({"type": "pull_request", "parameters": parameters})
    if one.required_contexts:
        checks: Json = {
            "required_status_checks": [_required(one, context) for context in one.required_contexts],
            "strict_required_status_checks_policy": one.strict,
        }
        found.append({"type": "required_status_checks", "parameters": checks})
    if one.merge_queue is not None:
        found.append({"type": "merge_queue", "parameters": _queue_rule(one.merge_queue)})
    source: Json = {"ruleset_source_type": "Repository", "ruleset_source": repo.full_name, "ruleset_id": 1}
    return [{**rule, **source} for rule in found]


def _required(one: Protection, context: str) -> Json:
    bound = one.integrations.get(context)
    return {"context": context} if bound is None else {"context": context, "integration_id": bound}


def _queue_rule(queue: MergeQueue) -> Json:
    return {
        "merge_method": queue.method.upper(),
        "grouping_strategy": "ALLGREEN",
        "max_entries_to_build": 5,
        "min_entries_to_merge": 1,
        "max_entries_to_merge": 5,
        "min_entries_to_merge_wait_minutes": 5,
        "check_response_timeout_minutes": 60,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file or directory at a ref; `kind` is `file` or `dir`."""

    path: str
    at: str
    sha: str
    size: int
    kind: str


def content(world: World, repo: Repository, entry: Entry) -> Json:
    """What files and directory entries have in common."""
    api, web = _api(world, repo), _web(world, repo)
    word = "blob" if entry.kind == "file" else "tree"
    links = {
        "self": f"{api}/contents/{quote(entry.path)}?ref={entry.at}",
        "git": f"{api}/git/{word}s/{entry.sha}",
        "html": f"{web}/{word}/{entry.at}/{quote(entry.path)}",
    }
    return {
        "name": entry.path.rsplit("/", 1)[-1],
        "path": entry.path,
        "sha": entry.sha,
        "size": entry.size,
        "url": links["self"],
        "html_url": links["html"],
        "git_url": links["git"],
        "download_url": f"{web}/raw/{entry.at}/{quote(entry.path)}" if entry.kind == "file" else None,
        "type": entry.kind,
        "_links": links,
    }
