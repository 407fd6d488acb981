"""Pull requests as issues: comments, labels, assignees."""

from __future__ import annotations

from bot.lab.github.api.pulls import LONGEST_BODY, edit_pull, refuse_strangers
from bot.lab.github.call import Call, Endpoint, Json, Reply, invalid, not_found
from bot.lab.github.conversation import add_comment, delete_comment, edit_comment
from bot.lab.github.nouns import Comment, Label
from bot.lab.github.revising import label_named, set_labels
from bot.lab.github.shapes import pulls as show

_REPO = "/repos/{owner}/{repo}"
_ISSUE = _REPO + "/issues/{number}"
_COMMENT = _REPO + "/issues/comments/{number}"


def _get(call: Call) -> Reply:
    return Reply(body=show.issue(call.world, call.repository, call.pull()))


def _edit(call: Call) -> Reply:
    pull = call.pull()
    edit_pull(call, pull)
    if "labels" in call.body:
        _replace_labels(call, [_label(call, name) for name in dict.fromkeys(call.texts("labels"))])
    return Reply(body=show.issue(call.world, call.repository, pull))


# --- comments --------------------------------------------------------------------------------------------------------


def _comments(call: Call) -> Reply:
    page, headers = call.page(call.pull().comments)
    return Reply(body=[show.comment(call.world, call.repository, one) for one in page], headers=headers)


def _text(call: Call) -> str:
    body = call.required("body", "IssueComment")
    if len(body) > LONGEST_BODY:
        said = f"body is too long (maximum is {LONGEST_BODY} characters)"
        raise invalid({"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": said})
    return body


def _create_comment(call: Call) -> Reply:
    app = call.credential.app if call.credential else None
    comment = add_comment(call.world, call.repository, call.pull(), call.actor, _text(call), app)
    shown = show.comment(call.world, call.repository, comment)
    return Reply(body=shown, status=201, headers={"Location": str(shown["url"])})


def _find(call: Call) -> Comment:
    found = call.repository.comment(call.number("number"))
    if found is None:
        raise not_found()
    return found


def _comment(call: Call) -> Reply:
    return Reply(body=show.comment(call.world, call.repository, _find(call)))


def _edit_comment(call: Call) -> Reply:
    comment = _find(call)
    refuse_strangers(call, comment.author)
    edit_comment(call.world, call.repository, comment, _text(call), call.actor)
    return Reply(body=show.comment(call.world, call.repository, comment))


def _delete_comment(call: Call) -> Reply:
    comment = _find(call)
    refuse_strangers(call, comment.author)
    delete_comment(call.world, call.repository, comment, call.actor)
    return Reply(status=204)


# --- labels and assignees --------------------------------------------------------------------------------------------


def _label(call: Call, name: str) -> Label:
    return label_named(call.world, call.repository, name)


def _replace_labels(call: Call, labels: list[Label]) -> None:
    set_labels(call.world, call.repository, call.pull(), labels, call.actor)


def _shown_labels(call: Call, labels: list[Label]) -> list[Json]:
    return [show.label(call.world, call.repository, one) for one in labels]


def _labels(call: Call) -> Reply:
    page, headers = call.page(call.pull().labels)
    return Reply(body=_shown_labels(call, page), headers=headers)


def _add_labels(call: Call) -> Reply:
    pull = call.pull()
    added = [_label(call, name) for name in dict.fromkeys(call.texts("labels"))]
    _replace_labels(call, [*pull.labels, *(label for label in added if label not in pull.labels)])
    return Reply(body=_shown_labels(call, pull.labels))


def _set_labels(call: Call) -> Reply:
    pull = call.pull()
    _replace_labels(call, [_label(call, name) for name in dict.fromkeys(call.texts("labels"))])
    return Reply(body=_shown_labels(call, pull.labels))


def _remove_label(call: Call) -> Reply:
    pull, name = call.pull(), call.parameters["name"].lower()
    left = [label for label in pull.labels if label.name.lower() != name]
    if len(left) == len(pull.labels):
        raise not_found()
    _replace_labels(call, left)
    return Reply(body=_shown_labels(call, left))


def _clear_labels(call: Call) -> Reply:
    _replace_labels(call, [])
    return Reply(status=204)


def _repository_labels(call: Call) -> Reply:
    page, headers = call.page(list(call.repository.labels.values()))
    return Reply(body=_shown_labels(call, page), headers=headers)


def _create_label(call: Call) -> Reply:
    name = call.required("name", "Label")
    if name.lower() in call.repository.labels:
        raise invalid({"resource": "Label", "code": "already_exists", "field": "name"})
    label = _label(call, name)
    label.color = call.text("color") or label.color
    label.description = call.text("description")
    shown = show.label(call.world, call.repository, label)
    return Reply(body=shown, status=201, headers={"Location": str(shown["url"])})


def _one_label(call: Call) -> Reply:
    label = call.repository.labels.get(call.parameters["name"].lower())
    if label is None:
        raise not_found()
    return Reply(body=show.label(call.world, call.repository, label))


def _assign(call: Call) -> Reply:
    pull = call.pull()
    for login in call.texts("assignees"):
        who = call.world.accounts.get(login.lower())
        # GitHub silently leaves out those who cannot be assigned.
        if who is not None and call.world.role(who, call.repository) is not None and who not in pull.assignees:
            pull.assignees.append(who)
    return Reply(body=show.issue(call.world, call.repository, pull), status=201)


ENDPOINTS = (
    Endpoint(method="GET", path=_COMMENT, handle=_comment, needs="issues:read"),
    Endpoint(method="PATCH", path=_COMMENT, handle=_edit_comment, needs="issues:write"),
    Endpoint(method="DELETE", path=_COMMENT, handle=_delete_comment, needs="issues:write"),
    Endpoint(method="GET", path=_ISSUE, handle=_get, needs="issues:read"),
    Endpoint(method="PATCH", path=_ISSUE, handle=_edit, needs="issues:write"),
    Endpoint(method="GET", path=_ISSUE + "/comments", handle=_comments, needs="issues:read"),
    Endpoint(method="POST", path=_ISSUE + "/comments", handle=_create_comment, needs="issues:write"),
    Endpoint(method="GET", path=_ISSUE + "/labels", handle=_labels, needs="issues:read"),
    Endpoint(method="POST", path=_ISSUE + "/labels", handle=_add_labels, needs="issues:write"),
    Endpoint(method="PUT", path=_ISSUE + "/labels", handle=_set_labels, needs="issues:write"),
    Endpoint(method="DELETE", path=_ISSUE + "/labels", handle=_clear_labels, needs="issues:write"),
    Endpoint(method="DELETE", path=_ISSUE + "/labels/{name}", handle=_remove_label, needs="issues:write"),
    Endpoint(method="POST", path=_ISSUE + "/assignees", handle=_assign, needs="issues:write"),
    Endpoint(method="GET", path=_REPO + "/labels", handle=_repository_labels, needs="issues:read"),
    Endpoint(method="POST", path=_REPO + "/labels", handle=_create_label, needs="issues:write"),
    Endpoint(method="GET", path=_REPO + "/labels/{name:path}", handle=_one_label, needs="issues:read"),
)
