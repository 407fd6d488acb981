"""Accounts, repositories and apps as JSON."""

from __future__ import annotations

import base64
from datetime import datetime

from bot.lab.github.call import Json
from bot.lab.github.nouns import ROLES, Account, App, Role
from bot.lab.github.world import Repository, World

_REPOSITORY_PATHS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
    "url": "",
}
_ACCOUNT_PATHS = {
    "url": "",
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}


def instant(at: datetime) -> str:
    """Write an instant as GitHub does."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def optional_instant(at: datetime | None) -> str | None:
    """Write an instant that may not have come."""
    return None if at is None else instant(at)


def node(kind: str, number: int) -> str:
    """Return the global id of the GraphQL API."""
    return f"{kind}_{base64.urlsafe_b64encode(number.to_bytes(6, 'big')).decode()}"


def account(world: World, who: Account) -> Json:
    """GitHub's `simple-user`."""
    api = f"{world.api}/users/{who.login}"
    return {
        "login": who.login,
        "id": who.id,
        "node_id": node("U", who.id),
        "avatar_url": f"{world.url}/avatars/u/{who.id}?v=4",
        "gravatar_id": "",
        "html_url": f"{world.url}/{who.login}",
        **{name: api + path for name, path in _ACCOUNT_PATHS.items()},
        "type": who.kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def optional_account(world: World, who: Account | None) -> Json | None:
    """An account, or nobody."""
    return None if who is None else account(world, who)


def whole_account(world: World, who: Account) -> Json:
    """GitHub's `public-user`: the logged-in user."""
    return {
        **account(world, who),
        "name": None,
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": instant(who.created_at),
        "updated_at": instant(who.created_at),
    }


def rights(role: Role | None) -> dict[str, bool]:
    """What a role may do, by GitHub's five words."""
    level = -1 if role is None else ROLES.index(role)
    words = ("pull", "triage", "push", "maintain", "admin")
    return {word: level >= least for least, word in enumerate(words)}


def small_repository(world: World, repository: Repository) -> Json:
    """GitHub's `minimal-repository`."""
    api = f"{world.api}/repos/{repository.full_name}"
    return {
        "id": repository.id,
        "node_id": node("R", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
        "owner": account(world, repository.owner),
        "html_url": f"{world.url}/{repository.full_name}",
        "description": None,
        "fork": False,
        **{name: api + path for name, path in _REPOSITORY_PATHS.items()},
    }


def repository(world: World, repo: Repository, role: Role | None = None) -> Json:
    """GitHub's `repository`; `permissions` are told where the reader's role is given."""
    web = f"{world.url}/{repo.full_name}"
    open_issues = sum(pull.is_open for pull in repo.pulls.values())
    told: Json = {} if role is None else {"permissions": rights(role)}
    return {
        **small_repository(world, repo),
        "git_url": web.replace("http:", "git:", 1) + ".git",
        "ssh_url": f"git@127.0.0.1:{repo.full_name}.git",
        "clone_url": f"{web}.git",
        "svn_url": web,
        "homepage": None,
        "language": None,
        "license": None,
        "mirror_url": None,
        "default_branch": repo.default_branch,
        "visibility": "private" if repo.private else "public",
        "archived": repo.archived,
        "disabled": False,
        "is_template": False,
        "topics": [],
        **dict.fromkeys(("has_issues", "has_projects", "has_wiki", "has_downloads"), True),
        **dict.fromkeys(("has_pages", "has_discussions", "web_commit_signoff_required"), False),
        **dict.fromkeys(("forks", "forks_count", "stargazers_count", "watchers", "watchers_count", "size"), 0),
        "open_issues": open_issues,
        "open_issues_count": open_issues,
        "created_at": instant(repo.created_at),
        "updated_at": instant(repo.pushed_at),
        "pushed_at": instant(repo.pushed_at),
        **told,
    }


def whole_repository(world: World, repo: Repository, role: Role | None) -> Json:
    """GitHub's `full-repository`."""
    return {
        **repository(world, repo, role),
        "network_count": 0,
        "subscribers_count": 0,
        "organization": account(world, repo.owner),
        "allow_merge_commit": "merge" in repo.merge_methods,
        "allow_squash_merge": "squash" in repo.merge_methods,
        "allow_rebase_merge": "rebase" in repo.merge_methods,
        "allow_auto_merge": repo.allow_auto_merge,
        "delete_branch_on_merge": repo.delete_branch_on_merge,
        "allow_update_branch": False,
    }


def app(world: World, one: App) -> Json:
    """GitHub's `integration`."""
    return {
        "id": one.id,
        "slug": one.slug,
        "client_id": f"Iv1.{one.id:016x}",
        "node_id": node("A", one.id),
        "owner": account(world, one.owner),
        "name": one.slug,
        "description": "",
        "external_url": world.url,
        "html_url": f"{world.url}/apps/{one.slug}",
        "created_at": instant(one.created_at),
        "updated_at": instant(one.created_at),
        "permissions": dict(one.permissions),
        "events": list(one.events),
    }


def installation(world: World, one: App) -> Json:
    """GitHub's `installation`."""
    api = f"{world.api}/app/installations/{one.installation_id}"
    return {
        "id": one.installation_id,
        "account": account(world, one.owner),
        "repository_selection": "all" if one.repositories is None else "selected",
        "access_tokens_url": f"{api}/access_tokens",
        "repositories_url": f"{world.api}/installation/repositories",
        "html_url": f"{world.url}/organizations/{one.owner.login}/settings/installations/{one.installation_id}",
        "app_id": one.id,
        "app_slug": one.slug,
        "target_id": one.owner.id,
        "target_type": "Organization",
        "permissions": dict(one.permissions),
        "events": list(one.events),
        "created_at": instant(one.created_at),
        "updated_at": instant(one.created_at),
        "single_file_name": None,
        "suspended_by": None,
        "suspended_at": None,
    }
