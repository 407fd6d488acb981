"""Pull requests, the same as issues, their reviews, comments and labels as JSON."""

from __future__ import annotations

from urllib.parse import quote

from bot.lab.github.call import Json
from bot.lab.github.merging import commits_of, fork_of
from bot.lab.github.nouns import Account, AutoMerge, Comment, Label, Pull, Reaction, Review
from bot.lab.github.requirements import mergeable_state
from bot.lab.github.shapes.repos import (
    account,
    app,
    instant,
    node,
    optional_account,
    optional_instant,
    repository,
)
from bot.lab.github.world import Repository, World

_REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


def _api(world: World, repo: Repository) -> str:
    return f"{world.api}/repos/{repo.full_name}"


def association(repo: Repository, who: Account) -> str:
    """GitHub's word for what an author is to the repository."""
    if who is repo.owner:
        return "OWNER"
    return "COLLABORATOR" if repo.full_name in who.roles else "NONE"


def label(world: World, repo: Repository, one: Label) -> Json:
    """GitHub's `label`."""
    return {
        "id": one.id,
        "node_id": node("LA", one.id),
        "url": f"{_api(world, repo)}/labels/{quote(one.name, safe='')}",
        "name": one.name,
        "description": one.description,
        "color": one.color,
        "default": False,
    }


def _end(world: World, repo: Repository, branch: str, sha: str) -> Json:
    return {
        "label": f"{repo.owner.login}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": account(world, repo.owner),
        "repo": repository(world, repo),
    }


def _links(api: str, web: str, pull: Pull) -> Json:
    mine, issue = f"{api}/pulls/{pull.number}", f"{api}/issues/{pull.number}"
    links = {
        "self": mine,
        "html": web,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{mine}/comments",
        "review_comment": f"{api}/pulls/comments{{/number}}",
        "commits": f"{mine}/commits",
        "statuses": f"{api}/statuses/{pull.head_sha}",
    }
    return {name: {"href": url} for name, url in links.items()}


def pull(world: World, repo: Repository, one: Pull) -> Json:
    """GitHub's `pull-request-simple`, as lists have it."""
    api, web = _api(world, repo), f"{world.url}/{repo.full_name}/pull/{one.number}"
    mine, issue = f"{api}/pulls/{one.number}", f"{api}/issues/{one.number}"
    base_sha = (repo.bare.branch(one.base) if one.is_open else None) or one.base_sha
    return {
        "url": mine,
        "id": one.id,
        "node_id": node("PR", one.id),
        "html_url": web,
        "diff_url": f"{web}.diff",
        "patch_url": f"{web}.patch",
        "issue_url": issue,
        "number": one.number,
        "state": one.state,
        "locked": False,
        "active_lock_reason": None,
        "title": one.title,
        "user": account(world, one.author),
        "body": one.body,
        "created_at": instant(one.created_at),
        "updated_at": instant(one.updated_at),
        "closed_at": optional_instant(one.closed_at),
        "merged_at": optional_instant(one.merged_at),
        "merge_commit_sha": one.merge_commit or one.test_merge,
        "assignee": optional_account(world, next(iter(one.assignees), None)),
        "assignees": [account(world, who) for who in one.assignees],
        "requested_reviewers": [account(world, who) for who in one.reviewers],
        "requested_teams": [],
        # In a pull request, unlike elsewhere, the description of a label is never null.
        "labels": [{**label(world, repo, each), "description": each.description or ""} for each in one.labels],
        "milestone": None,
        "draft": one.draft,
        "commits_url": f"{mine}/commits",
        "review_comments_url": f"{mine}/comments",
        "review_comment_url": f"{api}/pulls/comments{{/number}}",
        "comments_url": f"{issue}/comments",
        "statuses_url": f"{api}/statuses/{one.head_sha}",
        "head": _end(world, repo, one.head, one.head_sha),
        "base": _end(world, repo, one.base, base_sha),
        "_links": _links(api, web, one),
        "author_association": association(repo, one.author),
        "auto_merge": None if one.auto_merge is None else _auto_merge(world, one, one.auto_merge),
    }


def _auto_merge(world: World, of: Pull, one: AutoMerge) -> Json:
    return {
        "enabled_by": account(world, one.enabled_by),
        "merge_method": one.method,
        "commit_title": one.title or of.title,
        "commit_message": one.message or "",
    }


def whole_pull(world: World, repo: Repository, one: Pull, *, known: bool = True) -> Json:
    """GitHub's `pull-request`. `known` False says that mergeability has not been computed yet."""
    changes = repo.bare.changes(fork_of(repo, one), one.head_sha)
    state = mergeable_state(repo, one) if one.is_open and known else "unknown"
    mergeable = None if state == "unknown" else state != "dirty"
    return {
        **pull(world, repo, one),
        "merged": one.merged_at is not None,
        "mergeable": mergeable,
        "rebaseable": mergeable,
        "mergeable_state": state,
        "merged_by": optional_account(world, one.merged_by),
        "comments": len(one.comments),
        "review_comments": 0,
        "maintainer_can_modify": one.maintainer_can_modify,
        "commits": len(commits_of(repo, one)),
        "additions": sum(change.additions for change in changes),
        "deletions": sum(change.deletions for change in changes),
        "changed_files": len(changes),
    }


def issue(world: World, repo: Repository, one: Pull) -> Json:
    """GitHub's `issue`: each pull request is one."""
    api, web = _api(world, repo), f"{world.url}/{repo.full_name}/pull/{one.number}"
    mine = f"{api}/issues/{one.number}"
    return {
        "url": mine,
        "repository_url": api,
        "labels_url": f"{mine}/labels{{/name}}",
        "comments_url": f"{mine}/comments",
        "events_url": f"{mine}/events",
        "timeline_url": f"{mine}/timeline",
        "html_url": web,
        "id": one.id,
        "node_id": node("PR", one.id),
        "number": one.number,
        "title": one.title,
        "user": account(world, one.author),
        "labels": [label(world, repo, each) for each in one.labels],
        "state": one.state,
        "state_reason": None,
        "locked": False,
        "active_lock_reason": None,
        "assignee": optional_account(world, next(iter(one.assignees), None)),
        "assignees": [account(world, who) for who in one.assignees],
        "milestone": None,
        "comments": len(one.comments),
        "created_at": instant(one.created_at),
        "updated_at": instant(one.updated_at),
        "closed_at": optional_instant(one.closed_at),
        "closed_by": optional_account(world, one.closed_by),
        "author_association": association(repo, one.author),
        "draft": one.draft,
        "body": one.body,
        "pull_request": {
            "url": f"{api}/pulls/{one.number}",
            "html_url": web,
            "diff_url": f"{web}.diff",
            "patch_url": f"{web}.patch",
            "merged_at": optional_instant(one.merged_at),
        },
        "reactions": _rollup(mine, []),
        "performed_via_github_app": None if one.app is None else app(world, one.app),
    }


def comment(world: World, repo: Repository, one: Comment) -> Json:
    """GitHub's `issue-comment`."""
    mine = f"{_api(world, repo)}/issues/comments/{one.id}"
    return {
        "url": mine,
        "html_url": f"{world.url}/{repo.full_name}/pull/{one.number}#issuecomment-{one.id}",
        "issue_url": f"{_api(world, repo)}/issues/{one.number}",
        "id": one.id,
        "node_id": node("IC", one.id),
        "user": account(world, one.author),
        "created_at": instant(one.created_at),
        "updated_at": instant(one.updated_at),
        "author_association": association(repo, one.author),
        "body": one.body,
        "reactions": _rollup(mine, one.reactions),
        "performed_via_github_app": None if one.app is None else app(world, one.app),
    }


def _rollup(owner: str, reactions: list[Reaction]) -> Json:
    counts = {content: sum(each.content == content for each in reactions) for content in _REACTIONS}
    return {"url": f"{owner}/reactions", "total_count": len(reactions), **counts}


def reaction(world: World, one: Reaction) -> Json:
    """GitHub's `reaction`."""
    return {
        "id": one.id,
        "node_id": node("REA", one.id),
        "user": account(world, one.author),
        "content": one.content,
        "created_at": instant(one.created_at),
    }


def review(world: World, repo: Repository, of: Pull, one: Review) -> Json:
    """GitHub's `pull-request-review`."""
    web = f"{world.url}/{repo.full_name}/pull/{of.number}#pullrequestreview-{one.id}"
    url = f"{_api(world, repo)}/pulls/{of.number}"
    return {
        "id": one.id,
        "node_id": node("PRR", one.id),
        "user": account(world, one.author),
        "body": one.body,
        "state": one.state,
        "html_url": web,
        "pull_request_url": url,
        "author_association": association(repo, one.author),
        "_links": {"html": {"href": web}, "pull_request": {"href": url}},
        "submitted_at": instant(one.submitted_at),
        "commit_id": one.commit,
    }
