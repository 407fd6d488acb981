"""The REST endpoints that the lab's GitHub has. Each is a function from `Call` to `Reply`; the table is at the end."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import cast

from bot.lab.github import faces
from bot.lab.github.call import Call, Endpoint, Json, Refusal, Reply, invalid, not_found
from bot.lab.github.conduct import (
    Merging,
    Opening,
    close_pull,
    merge_pull,
    mergeable,
    newest_statuses,
    open_pull,
    reopen_pull,
    synchronise,
)
from bot.lab.github.nouns import CheckRun, Comment, Label, MergeMethod, Review, ReviewState, Status
from bot.lab.github.world import Happening

_REVIEWS: dict[str, ReviewState] = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}


def _listed(call: Call, shape: Callable[[object], Json], items: list[object]) -> Reply:
    page, headers = call.page(items)
    return Reply(body=[shape(item) for item in page], headers=headers)


# --- the caller and the repository -----------------------------------------------------------------------------------


def _user(call: Call) -> Reply:
    if call.credential is not None and call.credential.app is not None:
        raise Refusal(403, "Resource not accessible by integration")
    return Reply(body=faces.whole_user(call.world, call.actor))


def _repository(call: Call) -> Reply:
    return Reply(body=faces.repository(call.world, call.repository))


def _branch(call: Call) -> Reply:
    sha = call.repository.bare.branch(call.parameters["branch"])
    if sha is None:
        raise Refusal(404, "Branch not found")
    return Reply(body=faces.branch(call.world, call.repository, call.parameters["branch"], sha))


def _protection(call: Call) -> Reply:
    name = call.parameters["branch"]
    found = call.repository.protections.get(name)
    if found is None:
        raise Refusal(404, "Branch not protected")
    return Reply(body=faces.branch_protection(call.world, call.repository, name, found))


def _ref(call: Call) -> Reply:
    name = f"refs/{call.parameters['ref']}"
    sha = call.repository.bare.refs(name).get(name)
    if sha is None:
        raise not_found()
    return Reply(body=faces.ref(call.world, call.repository, name, sha))


def _delete_ref(call: Call) -> Reply:
    name = f"refs/{call.parameters['ref']}"
    if name not in call.repository.bare.refs(name):
        raise Refusal(422, "Reference does not exist")
    if name.removeprefix("refs/heads/") in call.repository.protections:
        raise Refusal(422, "Cannot delete protected branch")
    call.repository.bare.delete_ref(name)
    synchronise(call.world, call.repository)
    return Reply(status=204)


def _commit(call: Call) -> Reply:
    sha = call.repository.bare.resolve(call.parameters["ref"])
    if sha is None:
        raise Refusal(422, f"No commit found for SHA: {call.parameters['ref']}")
    found = call.repository.bare.commit(sha)
    shape = faces.commit(call.world, call.repository, found)
    if found.parents:
        changes = call.repository.bare.changes(found.parents[0], sha)
        shape["files"] = [faces.file_change(call.world, call.repository, sha, change) for change in changes]
        added, deleted = sum(item.additions for item in changes), sum(item.deletions for item in changes)
        shape["stats"] = {"additions": added, "deletions": deleted, "total": added + deleted}
    return Reply(body=shape)


def _contents(call: Call) -> Reply:
    path = call.parameters["path"]
    sha = call.repository.bare.resolve(call.query.get("ref", call.repository.default_branch))
    content = call.repository.bare.blob(sha, path) if sha else None
    if content is None:
        raise not_found()
    url = f"{call.world.api}/repos/{call.repository.full_name}/contents/{path}"
    html = f"{call.world.url}/{call.repository.full_name}/blob/{sha}/{path}"
    blob = call.repository.bare.run("rev-parse", f"{sha}:{path}").decode().strip()
    git = f"{call.world.api}/repos/{call.repository.full_name}/git/blobs/{blob}"
    body = {
        "type": "file",
        "encoding": "base64",
        "size": len(content),
        "name": path.rpartition("/")[2],
        "path": path,
        "content": base64.encodebytes(content).decode(),
        "sha": blob,
        "url": url,
        "git_url": git,
        "html_url": html,
        "download_url": html,
        "_links": {"self": url, "git": git, "html": html},
    }
    return Reply(body=body)


# --- statuses and checks ---------------------------------------------------------------------------------------------


def _resolved(call: Call) -> str:
    sha = call.repository.bare.resolve(call.parameters["ref"])
    if sha is None:
        raise not_found()
    return sha


def _combined_status(call: Call) -> Reply:
    sha = _resolved(call)
    newest = newest_statuses(call.repository, sha)
    page, headers = call.page(newest)
    return Reply(body=faces.combined(call.world, call.repository, sha, newest, page), headers=headers)


def _create_status(call: Call) -> Reply:
    state = call.required("state", "Status")
    if state not in ("error", "failure", "pending", "success"):
        raise invalid({"resource": "Status", "field": "state", "code": "custom", "message": "state is not included"})
    found = Status(
        id=call.world.new_id(),
        sha=call.parameters["sha"],
        context=call.text("context") or "default",
        state=state,
        description=call.text("description"),
        target_url=call.text("target_url"),
        creator=call.actor,
        created_at=call.world.now(),
    )
    call.repository.statuses.append(found)
    body = faces.status(call.world, call.repository, found) | {"creator": faces.user(call.world, call.actor)}
    return Reply(status=201, body=body)


def _check_runs(call: Call) -> Reply:
    sha = _resolved(call)
    newest = {run.name: run for run in call.repository.check_runs if run.sha == sha}
    page, headers = call.page([newest[name] for name in sorted(newest)])
    runs = [faces.check_run(call.world, call.repository, run) for run in page]
    return Reply(body={"total_count": len(newest), "check_runs": runs}, headers=headers)


def _create_check_run(call: Call) -> Reply:
    if call.credential is None or call.credential.app is None:
        raise Refusal(403, "You must authenticate via a GitHub App.")
    output = call.body.get("output")
    words = output if isinstance(output, dict) else {}
    conclusion = call.text("conclusion")
    now = call.world.now()
    run = CheckRun(
        id=call.world.new_id(),
        sha=call.required("head_sha", "CheckRun"),
        name=call.required("name", "CheckRun"),
        status="completed" if conclusion else call.text("status") or "queued",
        conclusion=conclusion,
        app=call.credential.app,
        started_at=now,
        completed_at=now if conclusion else None,
        title=cast("str | None", words.get("title")),
        summary=cast("str | None", words.get("summary")),
    )
    call.repository.check_runs.append(run)
    return Reply(status=201, body=faces.check_run(call.world, call.repository, run))


# --- pull requests ---------------------------------------------------------------------------------------------------


def _list_pulls(call: Call) -> Reply:
    state = call.query.get("state", "open")
    head, base = call.query.get("head", ""), call.query.get("base")
    wanted = head.partition(":")[2] if ":" in head else ""
    found = [
        pull
        for pull in call.repository.pulls.values()
        if state in ("all", pull.state)
        and (not wanted or pull.head == wanted)
        and (base is None or pull.base == base)
    ]
    ascending = call.query.get("direction", "desc") == "asc"
    found.sort(key=lambda pull: (pull.created_at, pull.number), reverse=not ascending)
    page, headers = call.page(found)
    return Reply(body=[faces.pull(call.world, call.repository, pull) for pull in page], headers=headers)


def _create_pull(call: Call) -> Reply:
    wanted = Opening(
        title=call.required("title", "PullRequest"),
        head=call.required("head", "PullRequest"),
        base=call.required("base", "PullRequest"),
        body=call.text("body"),
        draft=call.body.get("draft") is True,
    )
    app = call.credential.app if call.credential else None
    pull = open_pull(call.world, call.repository, call.actor, wanted, app)
    return Reply(status=201, body=faces.whole_pull(call.world, call.repository, pull, None))


def _get_pull(call: Call) -> Reply:
    pull = call.pull()
    state = mergeable(call.repository, pull)
    return Reply(body=faces.whole_pull(call.world, call.repository, pull, state))


def _edit_pull(call: Call) -> Reply:
    pull = call.pull()
    state = call.text("state")
    if state == "closed":
        close_pull(call.world, call.repository, pull, call.actor)
    elif state == "open" and not pull.is_open:
        reopen_pull(call.world, call.repository, pull, call.actor)
    elif state not in (None, "open"):
        raise invalid({"resource": "PullRequest", "field": "state", "code": "invalid"})
    pull.title = call.text("title") or pull.title
    if "body" in call.body:
        pull.body = call.text("body")
    base = call.text("base")
    if base is not None:
        if call.repository.bare.branch(base) is None:
            raise invalid({"resource": "PullRequest", "field": "base", "code": "invalid"})
        pull.base = base
    pull.updated_at = call.world.now()
    return Reply(body=faces.whole_pull(call.world, call.repository, pull, mergeable(call.repository, pull)))


def _pull_files(call: Call) -> Reply:
    pull = call.pull()
    changes = call.repository.bare.changes(pull.base_sha, pull.head_sha)
    page, headers = call.page(changes)
    body = [faces.file_change(call.world, call.repository, pull.head_sha, change) for change in page]
    return Reply(body=body, headers=headers)


def _pull_commits(call: Call) -> Reply:
    pull = call.pull()
    commits = call.repository.bare.commits("--reverse", f"{pull.base_sha}..{pull.head_sha}")
    page, headers = call.page(commits)
    return Reply(body=[faces.commit(call.world, call.repository, one) for one in page], headers=headers)


def _is_merged(call: Call) -> Reply:
    if call.pull().merged_at is None:
        raise not_found()
    return Reply(status=204)


def _merge(call: Call) -> Reply:
    method = call.text("merge_method") or "merge"
    if method not in ("merge", "squash", "rebase"):
        raise invalid({"resource": "PullRequest", "field": "merge_method", "code": "invalid"})
    wanted = Merging(
        method=cast("MergeMethod", method),
        sha=call.text("sha"),
        title=call.text("commit_title"),
        message=call.text("commit_message"),
    )
    sha = merge_pull(call.world, call.repository, call.pull(), call.actor, wanted)
    return Reply(body={"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def _reviews(call: Call) -> Reply:
    pull = call.pull()
    page, headers = call.page(pull.reviews)
    return Reply(
        body=[faces.review(call.world, call.repository, pull.number, one) for one in page], headers=headers
    )


def _create_review(call: Call) -> Reply:
    pull = call.pull()
    event = call.text("event") or "PENDING"
    if event == "APPROVE" and pull.author is call.actor:
        raise invalid("Can not approve your own pull request", message="Unprocessable Entity")
    review = Review(
        id=call.world.new_id(),
        author=call.actor,
        state=_REVIEWS.get(event, "PENDING"),
        body=call.text("body") or "",
        commit=pull.head_sha,
        submitted_at=call.world.now(),
    )
    pull.reviews.append(review)
    return Reply(body=faces.review(call.world, call.repository, pull.number, review))


# --- issues: comments, labels ----------------------------------------------------------------------------------------


def _issue(call: Call) -> Reply:
    return Reply(body=faces.issue(call.world, call.repository, call.pull()))


def _comments(call: Call) -> Reply:
    page, headers = call.page(call.pull().comments)
    return Reply(body=[faces.comment(call.world, call.repository, one) for one in page], headers=headers)


def _create_comment(call: Call) -> Reply:
    pull, now = call.pull(), call.world.now()
    comment = Comment(
        id=call.world.new_id(),
        number=pull.number,
        author=call.actor,
        body=call.required("body", "IssueComment"),
        created_at=now,
        updated_at=now,
        app=call.credential.app if call.credential else None,
    )
    pull.comments.append(comment)
    _tell_comment(call, comment, "created")
    return Reply(status=201, body=faces.comment(call.world, call.repository, comment))


def _comment(call: Call) -> Comment:
    found = call.repository.comment(call.number("comment_id"))
    if found is None:
        raise not_found()
    return found


def _get_comment(call: Call) -> Reply:
    return Reply(body=faces.comment(call.world, call.repository, _comment(call)))


def _edit_comment(call: Call) -> Reply:
    comment = _comment(call)
    comment.body = call.required("body", "IssueComment")
    comment.updated_at = call.world.now()
    _tell_comment(call, comment, "edited")
    return Reply(body=faces.comment(call.world, call.repository, comment))


def _delete_comment(call: Call) -> Reply:
    comment = _comment(call)
    call.repository.pulls[comment.number].comments.remove(comment)
    return Reply(status=204)


def _tell_comment(call: Call, comment: Comment, action: str) -> None:
    facts = {"comment": comment, "issue": call.repository.pulls[comment.number]}
    call.world.tell(
        Happening(
            repository=call.repository, event="issue_comment", sender=call.actor, facts=facts, action=action
        )
    )


def _labels(call: Call) -> Reply:
    return Reply(body=[faces.label(call.world, call.repository, one) for one in call.pull().labels])


def _add_labels(call: Call) -> Reply:
    pull, known = call.pull(), call.repository.labels
    for name in call.texts("labels"):
        found = known.setdefault(name.lower(), Label(id=call.world.new_id(), name=name))
        if found not in pull.labels:
            pull.labels.append(found)
    return _labels(call)


# --- apps and limits -------------------------------------------------------------------------------------------------


def _app(call: Call) -> Reply:
    return Reply(body=faces.app(call.world, call.world.apps[int(call.bearer)]))


def _installation(call: Call) -> Reply:
    app = call.world.apps[int(call.bearer)]
    if call.repository.owner is not app.owner:
        raise not_found()
    return Reply(body=faces.installation(call.world, app))


def _access_token(call: Call) -> Reply:
    app = call.world.apps[int(call.bearer)]
    if app.installation_id != call.number("installation_id"):
        raise not_found()
    token, credential = call.world.issue_installation_token(app, dict(app.permissions), app.repositories)
    body = {
        "token": token,
        "expires_at": faces.instant(credential.expires_at),
        "permissions": app.permissions,
        "repository_selection": "all" if app.repositories is None else "selected",
    }
    return Reply(status=201, body=body)


_REPO = "/repos/{owner}/{repo}"
_PULL = f"{_REPO}/pulls/{{number}}"
_ISSUE = f"{_REPO}/issues/{{number}}"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(method="GET", path="/user", handle=_user, needs=""),
    Endpoint(method="GET", path="/app", handle=_app, needs="", login=False),
    Endpoint(method="GET", path=f"{_REPO}/installation", handle=_installation, needs="", login=False),
    Endpoint(
        method="POST",
        path="/app/installations/{installation_id}/access_tokens",
        handle=_access_token,
        needs="",
        login=False,
    ),
    Endpoint(method="GET", path=_REPO, handle=_repository),
    Endpoint(method="GET", path=f"{_REPO}/branches/{{branch:path}}/protection", handle=_protection,
             needs="administration:read"),
    Endpoint(method="GET", path=f"{_REPO}/branches/{{branch:path}}", handle=_branch, needs="contents:read"),
    Endpoint(method="GET", path=f"{_REPO}/git/ref/{{ref:path}}", handle=_ref, needs="contents:read"),
    Endpoint(method="DELETE", path=f"{_REPO}/git/refs/{{ref:path}}", handle=_delete_ref, needs="contents:write"),
    Endpoint(method="GET", path=f"{_REPO}/commits/{{ref}}/status", handle=_combined_status, needs="statuses:read"),
    Endpoint(method="GET", path=f"{_REPO}/commits/{{ref}}/check-runs", handle=_check_runs, needs="checks:read"),
    Endpoint(method="GET", path=f"{_REPO}/commits/{{ref}}", handle=_commit, needs="contents:read"),
    Endpoint(method="GET", path=f"{_REPO}/contents/{{path:path}}", handle=_contents, needs="contents:read"),
    Endpoint(method="POST", path=f"{_REPO}/statuses/{{sha}}", handle=_create_status, needs="statuses:write"),
    Endpoint(method="POST", path=f"{_REPO}/check-runs", handle=_create_check_run, needs="checks:write"),
    Endpoint(method="GET", path=f"{_REPO}/pulls", handle=_list_pulls, needs="pull_requests:read"),
    Endpoint(method="POST", path=f"{_REPO}/pulls", handle=_create_pull, needs="pull_requests:write"),
    Endpoint(method="GET", path=_PULL, handle=_get_pull, needs="pull_requests:read"),
    Endpoint(method="PATCH", path=_PULL, handle=_edit_pull, needs="pull_requests:write"),
    Endpoint(method="GET", path=f"{_PULL}/files", handle=_pull_files, needs="pull_requests:read"),
    Endpoint(method="GET", path=f"{_PULL}/commits", handle=_pull_commits, needs="pull_requests:read"),
    Endpoint(method="GET", path=f"{_PULL}/merge", handle=_is_merged, needs="pull_requests:read"),
    Endpoint(method="PUT", path=f"{_PULL}/merge", handle=_merge, needs="contents:write"),
    Endpoint(method="GET", path=f"{_PULL}/reviews", handle=_reviews, needs="pull_requests:read"),
    Endpoint(method="POST", path=f"{_PULL}/reviews", handle=_create_review, needs="pull_requests:write"),
    Endpoint(method="GET", path=_ISSUE, handle=_issue, needs="issues:read"),
    Endpoint(method="GET", path=f"{_ISSUE}/comments", handle=_comments, needs="issues:read"),
    Endpoint(method="POST", path=f"{_ISSUE}/comments", handle=_create_comment, needs="issues:write"),
    Endpoint(method="GET", path=f"{_REPO}/issues/comments/{{comment_id}}", handle=_get_comment, needs="issues:read"),
    Endpoint(method="PATCH", path=f"{_REPO}/issues/comments/{{comment_id}}", handle=_edit_comment,
             needs="issues:write"),
    Endpoint(method="DELETE", path=f"{_REPO}/issues/comments/{{comment_id}}", handle=_delete_comment,
             needs="issues:write"),
    Endpoint(method="GET", path=f"{_ISSUE}/labels", handle=_labels, needs="issues:read"),
    Endpoint(method="POST", path=f"{_ISSUE}/labels", handle=_add_labels, needs="issues:write"),
)
