"""Pull requests, their merges and their reviews."""

from __future__ import annotations

from bot.lab.github.access import may
from bot.lab.github.call import Call, Endpoint, Json, Refusal, Reply, invalid
from bot.lab.github.conversation import add_review
from bot.lab.github.merging import commits_of, fork_of
from bot.lab.github.nouns import Account, MergeMethod, MergeRequest, Pull, Review, ReviewState
from bot.lab.github.pulls import Opening, close, merge, open_pull, reopen
from bot.lab.github.requirements import try_merge
from bot.lab.github.revising import Revision, revise
from bot.lab.github.shapes import commits as show_commits
from bot.lab.github.shapes import pulls as show
from bot.lab.github.shapes.repos import account

_REPO = "/repos/{owner}/{repo}"
_PULL = _REPO + "/pulls/{number}"
_METHODS: dict[str, MergeMethod] = {"merge": "merge", "squash": "squash", "rebase": "rebase"}
_REVIEWS: dict[str, ReviewState] = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}
_NO_COLLABORATOR = (
    "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a "
    "collaborator of the {} repository."
)
LONGEST_TITLE = 256
LONGEST_BODY = 65_536


def _list(call: Call) -> Reply:
    state = call.query.get("state", "open")
    if state not in {"open", "closed", "all"}:
        raise invalid({"resource": "PullRequest", "field": "state", "code": "invalid"})
    found = [pull for pull in call.repository.pulls.values() if state in ("all", pull.state)]
    if "base" in call.query:
        found = [pull for pull in found if pull.base == call.query["base"]]
    found = [pull for pull in found if _is_from(call, pull)]
    updated = call.query.get("sort") == "updated"
    # As GitHub: newest first for the default order by creation, oldest first for any other.
    newest_first = call.query.get("direction", "asc" if updated else "desc") == "desc"
    found.sort(key=lambda pull: (pull.updated_at if updated else pull.created_at, pull.number), reverse=newest_first)
    page, headers = call.page(found)
    return Reply(body=[show.pull(call.world, call.repository, pull) for pull in page], headers=headers)


def _is_from(call: Call, pull: Pull) -> bool:
    """Apply the `head` filter. GitHub ignores one without an owner, and so answers with all."""
    owner, colon, branch = call.query.get("head", "").partition(":")
    if not colon:
        return True
    return owner.lower() == call.repository.owner.login.lower() and branch == pull.head


def _create(call: Call) -> Reply:
    repository = call.repository
    head, base = call.required("head", "PullRequest"), call.required("base", "PullRequest")
    title = _title(call)
    if not title:
        raise invalid({"resource": "Issue", "code": "missing_field", "field": "title"})
    wanted = Opening(
        title=title,
        body=_body(call),
        head=head.removeprefix(f"{repository.owner.login}:"),
        base=base,
        draft=call.body.get("draft") is True,
        app=call.credential.app if call.credential else None,
    )
    pull = open_pull(call.world, repository, call.actor, wanted)
    shown = show.whole_pull(call.world, repository, pull, known=False)
    return Reply(body=shown, status=201, headers={"Location": str(shown["url"])})


def _title(call: Call) -> str | None:
    title = call.text("title")
    if title is not None and len(title) > LONGEST_TITLE:
        said = f"title is too long (maximum is {LONGEST_TITLE} characters)"
        raise invalid({"resource": "Issue", "code": "custom", "field": "title", "message": said})
    return title


def _body(call: Call) -> str | None:
    body = call.text("body")
    if body is not None and len(body) > LONGEST_BODY:
        said = f"body is too long (maximum is {LONGEST_BODY} characters)"
        raise invalid({"resource": "Issue", "code": "custom", "field": "body", "message": said})
    return body


def _get(call: Call) -> Reply:
    pull = call.pull()
    known = try_merge(call.world, call.repository, pull)
    return Reply(body=show.whole_pull(call.world, call.repository, pull, known=known))


def refuse_strangers(call: Call, author: Account) -> None:
    """Refuse to edit what another wrote, to those without write access."""
    if call.actor is author or (
        call.credential is not None and may(call.world, call.credential, call.repository, "contents:write")
    ):
        return
    raise Refusal(403, f"Must have write access to {call.repository.full_name}.")


def edit_pull(call: Call, pull: Pull) -> None:
    """Change title, body, base or state, as PATCH on pull requests and on issues do."""
    refuse_strangers(call, pull.author)
    title, body, base, state = _title(call), _body(call), call.text("base"), call.text("state")
    if state not in (None, "open", "closed"):
        raise invalid({"resource": "PullRequest", "field": "state", "code": "invalid"})
    if "body" in call.body:
        body = body or ""
    revise(call.world, call.repository, pull, Revision(title=title, body=body, base=base), call.actor)
    if state == "closed":
        close(call.world, call.repository, pull, call.actor)
    elif state == "open":
        reopen(call.world, call.repository, pull, call.actor)


def _edit(call: Call) -> Reply:
    pull = call.pull()
    edit_pull(call, pull)
    known = try_merge(call.world, call.repository, pull)
    return Reply(body=show.whole_pull(call.world, call.repository, pull, known=known))


def _files(call: Call) -> Reply:
    pull = call.pull()
    page, headers = call.page(call.repository.bare.changes(fork_of(call.repository, pull), pull.head_sha))
    shown = [show_commits.file_change(call.world, call.repository, change, pull.head_sha) for change in page]
    return Reply(body=shown, headers=headers)


def _commits(call: Call) -> Reply:
    page, headers = call.page(commits_of(call.repository, call.pull()))
    return Reply(body=[show_commits.commit(call.world, call.repository, one) for one in page], headers=headers)


def _of_commit(call: Call) -> Reply:
    """List the pull request that brought a commit into the default branch; of another commit all that have it."""
    repository, bare = call.repository, call.repository.bare
    sha = bare.resolve(call.parameters["sha"])
    if sha is None:
        raise invalid(message=f"No commit found for SHA: {call.parameters['sha']}")
    there = bare.branch(repository.default_branch)
    arrived = there is not None and bare.is_ancestor(sha, there)
    found = [
        pull
        for pull in repository.pulls.values()
        if (pull.merged_at is not None if arrived else pull.is_open or pull.merged_at is not None)
        and (pull.merge_commit == sha or sha in {one.sha for one in commits_of(repository, pull)})
    ]
    page, headers = call.page(found)
    return Reply(body=[show.pull(call.world, repository, pull) for pull in page], headers=headers)


def _is_merged(call: Call) -> Reply:
    if call.pull().merged_at is None:
        raise Refusal(404, "Not Found")
    return Reply(status=204)


def _merge(call: Call) -> Reply:
    word = call.text("merge_method") or "merge"
    method = _METHODS.get(word)
    if method is None:
        raise invalid({"resource": "PullRequest", "field": "merge_method", "code": "invalid"})
    request = MergeRequest(method=method, title=call.text("commit_title"), message=call.text("commit_message"))
    sha = merge(call.world, call.repository, call.pull(), call.actor, request, call.text("sha"))
    return Reply(body={"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


# --- reviews ---------------------------------------------------------------------------------------------------------


def _reviews(call: Call) -> Reply:
    pull = call.pull()
    page, headers = call.page(pull.reviews)
    return Reply(body=[show.review(call.world, call.repository, pull, one) for one in page], headers=headers)


def _create_review(call: Call) -> Reply:
    pull, event, body = call.pull(), call.text("event") or "COMMENT", call.text("body") or ""
    state = _REVIEWS.get(event)
    if state is None:
        raise invalid(f"Variable $event of type PullRequestReviewEvent was provided invalid value {event}")
    if call.actor is pull.author and state != "COMMENTED":
        word = "approve" if state == "APPROVED" else "request changes on"
        raise invalid(f"Can not {word} your own pull request", message="Unprocessable Entity")
    if state != "APPROVED" and not body:
        raise invalid(message="Unprocessable Entity")
    review = Review(
        id=call.world.new_id(),
        author=call.actor,
        state=state,
        body=body,
        commit=call.text("commit_id") or pull.head_sha,
        submitted_at=call.world.now(),
    )
    add_review(call.world, call.repository, pull, review)
    return Reply(body=show.review(call.world, call.repository, pull, review))


def _reviewers(call: Call) -> Reply:
    body: Json = {"users": [account(call.world, who) for who in call.pull().reviewers], "teams": []}
    return Reply(body=body)


def _request_reviewers(call: Call) -> Reply:
    pull = call.pull()
    for login in call.texts("reviewers"):
        who = call.world.accounts.get(login.lower())
        if who is None or call.world.role(who, call.repository) is None:
            raise invalid(message=_NO_COLLABORATOR.format(call.repository.full_name))
        if who is pull.author:
            raise invalid(message="Review cannot be requested from pull request author.")
        if who not in pull.reviewers:
            pull.reviewers.append(who)
    return Reply(body=show.pull(call.world, call.repository, pull), status=201)


ENDPOINTS = (
    Endpoint(method="GET", path=_REPO + "/pulls", handle=_list, needs="pull_requests:read"),
    Endpoint(method="POST", path=_REPO + "/pulls", handle=_create, needs="pull_requests:write"),
    Endpoint(method="GET", path=_PULL, handle=_get, needs="pull_requests:read"),
    Endpoint(method="PATCH", path=_PULL, handle=_edit, needs="pull_requests:write"),
    Endpoint(method="GET", path=_PULL + "/files", handle=_files, needs="pull_requests:read"),
    Endpoint(method="GET", path=_PULL + "/commits", handle=_commits, needs="pull_requests:read"),
    Endpoint(method="GET", path=_REPO + "/commits/{sha}/pulls", handle=_of_commit, needs="pull_requests:read"),
    Endpoint(method="GET", path=_PULL + "/merge", handle=_is_merged, needs="contents:read"),
    Endpoint(method="PUT", path=_PULL + "/merge", handle=_merge, needs="contents:write"),
    Endpoint(method="GET", path=_PULL + "/reviews", handle=_reviews, needs="pull_requests:read"),
    Endpoint(method="POST", path=_PULL + "/reviews", handle=_create_review, needs="pull_requests:write"),
    Endpoint(method="GET", path=_PULL + "/requested_reviewers", handle=_reviewers, needs="pull_requests:read"),
    Endpoint(
        method="POST", path=_PULL + "/requested_reviewers", handle=_request_reviewers, needs="pull_requests:write"
    ),
)
