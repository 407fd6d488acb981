"""Comments on commits."""

from __future__ import annotations

from bot.lab.github.api.commits import resolved
from bot.lab.github.api.pulls import LONGEST_BODY
from bot.lab.github.call import Call, Endpoint, Json, Reply, invalid
from bot.lab.github.nouns import CommitComment
from bot.lab.github.shapes.pulls import association
from bot.lab.github.shapes.repos import account, instant, node

_COMMENTS = "/repos/{owner}/{repo}/commits/{ref}/comments"


def _shown(call: Call, one: CommitComment) -> Json:
    """GitHub's `commit-comment`."""
    repo, world = call.repository, call.world
    return {
        "url": f"{world.api}/repos/{repo.full_name}/comments/{one.id}",
        "html_url": f"{world.url}/{repo.full_name}/commit/{one.commit}#commitcomment-{one.id}",
        "id": one.id,
        "node_id": node("CC", one.id),
        "user": account(world, one.author),
        "position": None,
        "line": None,
        "path": None,
        "commit_id": one.commit,
        "body": one.body,
        "author_association": association(repo, one.author),
        "created_at": instant(one.created_at),
        "updated_at": instant(one.created_at),
    }


def _list(call: Call) -> Reply:
    commit = resolved(call, call.parameters["ref"])
    page, headers = call.page([one for one in call.repository.commit_comments if one.commit == commit])
    return Reply(body=[_shown(call, one) for one in page], headers=headers)


def _create(call: Call) -> Reply:
    commit, body = resolved(call, call.parameters["ref"]), call.required("body", "CommitComment")
    if len(body) > LONGEST_BODY:
        said = f"body is too long (maximum is {LONGEST_BODY} characters)"
        raise invalid({"resource": "CommitComment", "code": "unprocessable", "field": "data", "message": said})
    world = call.world
    made = CommitComment(id=world.new_id(), commit=commit, author=call.actor, body=body, created_at=world.now())
    call.repository.commit_comments.append(made)
    shown = _shown(call, made)
    return Reply(body=shown, status=201, headers={"Location": str(shown["url"])})


ENDPOINTS = (
    Endpoint(method="GET", path=_COMMENTS, handle=_list),
    Endpoint(method="POST", path=_COMMENTS, handle=_create, needs="contents:write"),
)
