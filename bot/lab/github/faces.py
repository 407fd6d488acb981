"""The lab's nouns in GitHub's JSON, with every field that its published description requires."""

from __future__ import annotations

from datetime import datetime

from bot.lab.github.call import Json
from bot.lab.github.git import Commit, FileChange, Person
from bot.lab.github.nouns import Account, App, CheckRun, Comment, Label, Protection, Pull, Review, Status
from bot.lab.github.world import Repository, World

_USER_LINKS = (
    "events",
    "followers",
    "following",
    "gists",
    "organizations",
    "received_events",
    "repos",
    "starred",
    "subscriptions",
)
_REPOSITORY_LINKS = (
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
)


def instant(at: datetime | None) -> str | None:
    """Return an instant as GitHub writes it."""
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"


def node(kind: str, number: int) -> str:
    """Return an opaque node id."""
    return f"{kind}_{number}"


def user(world: World, account: Account) -> Json:
    """Return a simple user."""
    url = f"{world.api}/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node("U", account.id),
        "avatar_url": f"{world.url}/avatars/{account.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{world.url}/{account.login}",
        **{f"{name}_url": f"{url}/{name}" for name in _USER_LINKS},
        "type": account.kind,
        "site_admin": False,
    }


def whole_user(world: World, account: Account) -> Json:
    """Return the user that is logged in, with what only it may see."""
    return user(world, account) | {
        **dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location", "name")),
        **dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0),
        "user_view_type": "public",
        "created_at": instant(account.created_at),
        "updated_at": instant(account.created_at),
    }


def repository(world: World, repo: Repository) -> Json:
    """Return a repository, with the fields of a whole one."""
    url = f"{world.api}/repos/{repo.full_name}"
    html = f"{world.url}/{repo.full_name}"
    opened = sum(pull.is_open for pull in repo.pulls.values())
    return {
        "id": repo.id,
        "node_id": node("R", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "owner": user(world, repo.owner),
        "private": repo.private,
        "html_url": html,
        "description": None,
        "fork": False,
        "url": url,
        **{f"{name}_url": f"{url}/{name}" for name in _REPOSITORY_LINKS},
        "clone_url": f"{html}.git",
        "git_url": f"{html}.git",
        "ssh_url": f"{html}.git",
        "svn_url": html,
        "mirror_url": None,
        "default_branch": repo.default_branch,
        "created_at": instant(repo.created_at),
        "updated_at": instant(repo.pushed_at),
        "pushed_at": instant(repo.pushed_at),
        **dict.fromkeys(("homepage", "language", "license")),
        **dict.fromkeys(("archived", "disabled", "has_pages", "has_discussions", "has_downloads"), False),
        **dict.fromkeys(("has_issues", "has_projects", "has_wiki"), True),
        **dict.fromkeys(("forks", "forks_count", "size", "stargazers_count", "watchers", "watchers_count"), 0),
        **dict.fromkeys(("network_count", "subscribers_count"), 0),
        "open_issues": opened,
        "open_issues_count": opened,
        "allow_merge_commit": "merge" in repo.merge_methods,
        "allow_squash_merge": "squash" in repo.merge_methods,
        "allow_rebase_merge": "rebase" in repo.merge_methods,
        "delete_branch_on_merge": repo.delete_branch_on_merge,
    }


def _end(world: World, repo: Repository, ref: str, sha: str) -> Json:
    return {
        "label": f"{repo.owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user(world, repo.owner),
        "repo": repository(world, repo),
    }


def pull(world: World, repo: Repository, found: Pull) -> Json:
    """Return a pull request as lists show it."""
    url = f"{world.api}/repos/{repo.full_name}/pulls/{found.number}"
    issue_url = f"{world.api}/repos/{repo.full_name}/issues/{found.number}"
    statuses = f"{world.api}/repos/{repo.full_name}/statuses/{found.head_sha}"
    html = f"{world.url}/{repo.full_name}/pull/{found.number}"
    addresses = {
        "self": url,
        "html": html,
        "issue": issue_url,
        "comments": f"{issue_url}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{world.api}/repos/{repo.full_name}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": statuses,
    }
    return {
        "id": found.id,
        "node_id": node("PR", found.id),
        "number": found.number,
        "url": url,
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "issue_url": issue_url,
        "commits_url": f"{url}/commits",
        "comments_url": f"{issue_url}/comments",
        "review_comments_url": f"{url}/comments",
        "review_comment_url": addresses["review_comment"],
        "statuses_url": statuses,
        "state": found.state,
        "locked": False,
        "title": found.title,
        "body": found.body,
        "user": user(world, found.author),
        "labels": [label(world, repo, item) for item in found.labels],
        "assignee": user(world, found.assignees[0]) if found.assignees else None,
        "assignees": [user(world, item) for item in found.assignees],
        "requested_reviewers": [user(world, item) for item in found.reviewers],
        "requested_teams": [],
        "milestone": None,
        "created_at": instant(found.created_at),
        "updated_at": instant(found.updated_at),
        "closed_at": instant(found.closed_at),
        "merged_at": instant(found.merged_at),
        "merge_commit_sha": found.merge_commit,
        "draft": found.draft,
        "head": _end(world, repo, found.head, found.head_sha),
        "base": _end(world, repo, found.base, found.base_sha),
        "author_association": "CONTRIBUTOR",
        "auto_merge": None,
        "_links": {name: {"href": address} for name, address in addresses.items()},
    }


def whole_pull(world: World, repo: Repository, found: Pull, mergeable: bool | None) -> Json:  # noqa: FBT001
    """Return one pull request with what lists leave out. `mergeable` None: GitHub has not computed it yet."""
    changes = repo.bare.changes(found.base_sha, found.head_sha)
    state = {True: "clean", False: "dirty", None: "unknown"}[mergeable]
    return pull(world, repo, found) | {
        "merged": found.merged_at is not None,
        "mergeable": mergeable,
        "mergeable_state": state,
        "rebaseable": mergeable,
        "merged_by": user(world, found.merged_by) if found.merged_by else None,
        "comments": len(found.comments),
        "review_comments": 0,
        "commits": len(repo.bare.commits(f"{found.base_sha}..{found.head_sha}")),
        "additions": sum(change.additions for change in changes),
        "deletions": sum(change.deletions for change in changes),
        "changed_files": len(changes),
        "maintainer_can_modify": found.maintainer_can_modify,
    }


def issue(world: World, repo: Repository, found: Pull) -> Json:
    """Return a pull request as the issue that it also is."""
    url = f"{world.api}/repos/{repo.full_name}/issues/{found.number}"
    html = f"{world.url}/{repo.full_name}/pull/{found.number}"
    return {
        "id": found.id,
        "node_id": node("PR", found.id),
        "url": url,
        "repository_url": f"{world.api}/repos/{repo.full_name}",
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": html,
        "number": found.number,
        "state": found.state,
        "state_reason": None,
        "title": found.title,
        "body": found.body,
        "user": user(world, found.author),
        "labels": [label(world, repo, item) for item in found.labels],
        "assignee": user(world, found.assignees[0]) if found.assignees else None,
        "assignees": [user(world, item) for item in found.assignees],
        "milestone": None,
        "locked": False,
        "comments": len(found.comments),
        "closed_at": instant(found.closed_at),
        "closed_by": user(world, found.closed_by) if found.closed_by else None,
        "created_at": instant(found.created_at),
        "updated_at": instant(found.updated_at),
        "author_association": "CONTRIBUTOR",
        "pull_request": {
            "url": f"{world.api}/repos/{repo.full_name}/pulls/{found.number}",
            "html_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            "merged_at": instant(found.merged_at),
        },
    }


def comment(world: World, repo: Repository, found: Comment) -> Json:
    """Return a comment of a pull request's conversation."""
    return {
        "id": found.id,
        "node_id": node("IC", found.id),
        "url": f"{world.api}/repos/{repo.full_name}/issues/comments/{found.id}",
        "html_url": f"{world.url}/{repo.full_name}/pull/{found.number}#issuecomment-{found.id}",
        "issue_url": f"{world.api}/repos/{repo.full_name}/issues/{found.number}",
        "body": found.body,
        "user": user(world, found.author),
        "created_at": instant(found.created_at),
        "updated_at": instant(found.updated_at),
        "author_association": "CONTRIBUTOR",
    }


def review(world: World, repo: Repository, number: int, found: Review) -> Json:
    """Return a review."""
    pull_url = f"{world.api}/repos/{repo.full_name}/pulls/{number}"
    html = f"{world.url}/{repo.full_name}/pull/{number}#pullrequestreview-{found.id}"
    return {
        "id": found.id,
        "node_id": node("PRR", found.id),
        "user": user(world, found.author),
        "body": found.body,
        "state": found.state,
        "commit_id": found.commit,
        "submitted_at": instant(found.submitted_at),
        "html_url": html,
        "pull_request_url": pull_url,
        "_links": {"html": {"href": html}, "pull_request": {"href": pull_url}},
        "author_association": "CONTRIBUTOR",
    }


def label(world: World, repo: Repository, found: Label) -> Json:
    """Return a label."""
    return {
        "id": found.id,
        "node_id": node("LA", found.id),
        "url": f"{world.api}/repos/{repo.full_name}/labels/{found.name}",
        "name": found.name,
        "color": found.color,
        "default": False,
        "description": found.description,
    }


def status(world: World, repo: Repository, found: Status) -> Json:
    """Return a commit status, without its creator."""
    return {
        "id": found.id,
        "node_id": node("SC", found.id),
        "url": f"{world.api}/repos/{repo.full_name}/statuses/{found.sha}",
        "avatar_url": f"{world.url}/avatars/{found.creator.id}",
        "state": found.state,
        "context": found.context,
        "description": found.description,
        "target_url": found.target_url,
        "created_at": instant(found.created_at),
        "updated_at": instant(found.created_at),
    }


def combined(world: World, repo: Repository, sha: str, newest: list[Status], shown: list[Status]) -> Json:
    """Return the combined status of a commit: `newest` decides, `shown` is the page. None at all is `pending`."""
    states = {item.state for item in newest}
    bad = bool(states & {"failure", "error"})
    word = "failure" if bad else "pending" if not states or "pending" in states else "success"
    url = f"{world.api}/repos/{repo.full_name}/commits/{sha}"
    return {
        "state": word,
        "sha": sha,
        "total_count": len(newest),
        "statuses": [status(world, repo, item) for item in shown],
        "repository": repository(world, repo),
        "commit_url": url,
        "url": f"{url}/status",
    }


def check_run(world: World, repo: Repository, found: CheckRun) -> Json:
    """Return a check run."""
    url = f"{world.api}/repos/{repo.full_name}/check-runs/{found.id}"
    html = f"{world.url}/{repo.full_name}/runs/{found.id}"
    return {
        "id": found.id,
        "node_id": node("CR", found.id),
        "head_sha": found.sha,
        "name": found.name,
        "url": url,
        "html_url": html,
        "details_url": found.details_url or html,
        "external_id": found.external_id,
        "status": found.status,
        "conclusion": found.conclusion,
        "started_at": instant(found.started_at),
        "completed_at": instant(found.completed_at),
        "output": {
            "title": found.title,
            "summary": found.summary,
            "text": found.text,
            "annotations_count": 0,
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": found.id},
        "app": app(world, found.app) if found.app else None,
        "pull_requests": [],
    }


def app(world: World, found: App) -> Json:
    """Return a GitHub App."""
    return {
        "id": found.id,
        "slug": found.slug,
        "node_id": node("A", found.id),
        "owner": user(world, found.owner),
        "name": found.slug,
        "description": None,
        "external_url": world.url,
        "html_url": f"{world.url}/apps/{found.slug}",
        "created_at": instant(found.created_at),
        "updated_at": instant(found.created_at),
        "permissions": found.permissions,
        "events": ["pull_request", "issue_comment"],
    }


def installation(world: World, found: App) -> Json:
    """Return the installation of an app."""
    url = f"{world.api}/app/installations/{found.installation_id}"
    return {
        "id": found.installation_id,
        "app_id": found.id,
        "app_slug": found.slug,
        "account": user(world, found.owner),
        "target_id": found.owner.id,
        "target_type": found.owner.kind,
        "repository_selection": "all" if found.repositories is None else "selected",
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": f"{world.api}/installation/repositories",
        "html_url": f"{world.url}/organizations/{found.owner.login}/settings/installations/{found.installation_id}",
        "permissions": found.permissions,
        "events": ["pull_request", "issue_comment"],
        "single_file_name": None,
        "suspended_by": None,
        "suspended_at": None,
        "created_at": instant(found.created_at),
        "updated_at": instant(found.created_at),
    }


def ref(world: World, repo: Repository, name: str, sha: str) -> Json:
    """Return a git reference; `name` begins with `refs/`."""
    url = f"{world.api}/repos/{repo.full_name}/git"
    return {
        "ref": name,
        "node_id": node("REF", repo.id),
        "url": f"{url}/{name}",
        "object": {"type": "commit", "sha": sha, "url": f"{url}/commits/{sha}"},
    }


def _signature(person: Person, at: datetime) -> Json:
    return {"name": person.name, "email": person.email, "date": instant(at)}


def commit(world: World, repo: Repository, found: Commit) -> Json:
    """Return a commit as the repository's history shows it."""
    url = f"{world.api}/repos/{repo.full_name}/commits/{found.sha}"
    html = f"{world.url}/{repo.full_name}/commit"
    git = f"{world.api}/repos/{repo.full_name}/git"
    author = world.account_by_email(found.author.email)
    committer = world.account_by_email(found.committer.email)
    return {
        "sha": found.sha,
        "node_id": node("C", repo.id),
        "url": url,
        "html_url": f"{html}/{found.sha}",
        "comments_url": f"{url}/comments",
        "commit": {
            "url": f"{git}/commits/{found.sha}",
            "author": _signature(found.author, found.authored_at),
            "committer": _signature(found.committer, found.committed_at),
            "message": found.message,
            "comment_count": 0,
            "tree": {"sha": found.tree, "url": f"{git}/trees/{found.tree}"},
            "verification": {
                "verified": False,
                "reason": "unsigned",
                "payload": None,
                "signature": None,
                "verified_at": None,
            },
        },
        "author": user(world, author) if author else None,
        "committer": user(world, committer) if committer else None,
        "parents": [
            {
                "sha": sha,
                "url": f"{world.api}/repos/{repo.full_name}/commits/{sha}",
                "html_url": f"{html}/{sha}",
            }
            for sha in found.parents
        ],
    }


def file_change(world: World, repo: Repository, head: str, found: FileChange) -> Json:
    """Return one file of a diff."""
    shape: Json = {
        "sha": found.blob,
        "filename": found.path,
        "status": found.status,
        "additions": found.additions,
        "deletions": found.deletions,
        "changes": found.additions + found.deletions,
        "blob_url": f"{world.url}/{repo.full_name}/blob/{head}/{found.path}",
        "raw_url": f"{world.url}/{repo.full_name}/raw/{head}/{found.path}",
        "contents_url": f"{world.api}/repos/{repo.full_name}/contents/{found.path}?ref={head}",
    }
    if found.patch is not None:
        shape["patch"] = found.patch
    if found.previous is not None:
        shape["previous_filename"] = found.previous
    return shape


def branch(world: World, repo: Repository, name: str, sha: str) -> Json:
    """Return a branch."""
    url = f"{world.api}/repos/{repo.full_name}/branches/{name}"
    protection = repo.protections.get(name)
    return {
        "name": name,
        "commit": commit(world, repo, repo.bare.commit(sha)),
        "_links": {"self": url, "html": f"{world.url}/{repo.full_name}/tree/{name}"},
        "protected": protection is not None,
        "protection": {"enabled": protection is not None},
        "protection_url": f"{url}/protection",
    }


def branch_protection(world: World, repo: Repository, name: str, found: Protection) -> Json:
    """Return what a protected branch demands."""
    url = f"{world.api}/repos/{repo.full_name}/branches/{name}/protection"
    shape: Json = {
        "url": url,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": found.enforce_admins},
    }
    if found.contexts:
        shape["required_status_checks"] = {
            "url": f"{url}/required_status_checks",
            "strict": found.strict,
            "contexts": list(found.contexts),
            "contexts_url": f"{url}/required_status_checks/contexts",
            "checks": [{"context": context, "app_id": None} for context in found.contexts],
        }
    if found.demands_pull_request:
        shape["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": found.dismiss_stale_reviews,
            "require_code_owner_reviews": False,
            "required_approving_review_count": found.approvals,
        }
    return shape
