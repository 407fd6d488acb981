"""Merges in the background: `merge-async` and its result."""

from __future__ import annotations

from typing import get_args

from bot.lab.github.background import ask_merge, find, pending
from bot.lab.github.call import Call, Endpoint, Json, Reply, invalid, not_found
from bot.lab.github.nouns import AsyncMerge, MergeMethod, MergeRequest

_ASYNC = "/repos/{owner}/{repo}/pulls/{number}/merge-async"
_ACTIONS = ("default", "direct_merge", "merge_queue")
_NO_PARAMETERS = (
    "Custom merge params (merge_method, commit_title, commit_message) are not supported with the merge_queue merge "
    "action."
)


def _ask(call: Call) -> Reply:
    pull, action, request = call.pull(), call.text("merge_action") or "default", _request(call)
    if action not in _ACTIONS:
        raise invalid({"resource": "PullRequest", "field": "merge_action", "code": "invalid"})
    if action == "merge_queue" and request is not None:
        raise invalid(message=_NO_PARAMETERS)
    if pull.merged_at is not None:
        return _result("merged", "Pull request was merged.", sha=pull.merge_commit or "")
    if pull.queue_entry is not None:
        return _result("enqueued", "Pull request was added to the merge queue.")
    if not pull.is_open:
        return _result("failed", "Pull request is closed.", status=400)
    if pull.draft:
        return _result("failed", "Pull request is still a draft.", status=400)
    there = pending(pull)
    if there is not None:
        return Reply(body=_shown(there, "A merge request already exists for this pull request."), status=409)
    made = ask_merge(call.world, pull, call.actor, request, action)
    made.head_sha = call.text("sha") or made.head_sha
    return Reply(body=_shown(made, "Merge request enqueued."), status=202)


def _request(call: Call) -> MergeRequest | None:
    """Return how to merge; None where the caller says nothing of it."""
    word, title, message = (call.text(name) for name in ("merge_method", "commit_title", "commit_message"))
    if (word, title, message) == (None, None, None):
        return None
    methods: dict[str, MergeMethod] = {one: one for one in get_args(MergeMethod)}
    if word is not None and word not in methods:
        raise invalid({"resource": "PullRequest", "field": "merge_method", "code": "invalid"})
    return MergeRequest(method=methods[word or "merge"], title=title, message=message)


def _result(state: str, message: str, *, status: int = 200, **more: str) -> Reply:
    return Reply(body={"status": state, "details": {"message": message, **more}}, status=status)


def _shown(one: AsyncMerge, message: str) -> Json:
    if one.state != "pending":
        return {"status": one.state, "details": dict(one.details)}
    details: Json = {
        "message": message,
        "uuid": one.uuid,
        "merge_method": one.request.method if one.request else "default",
        "merge_action": one.action,
        "expected_head_sha": one.head_sha,
    }
    return {"status": "pending", "details": details}


def _look(call: Call) -> Reply:
    found = find(call.world, call.pull(), call.parameters["uuid"])
    if found is None:
        raise not_found()
    return Reply(body=_shown(found, "Merge request is in progress."))


ENDPOINTS = (
    Endpoint(method="PUT", path=_ASYNC, handle=_ask, needs="contents:write"),
    Endpoint(method="GET", path=_ASYNC + "/{uuid}", handle=_look, needs="contents:read"),
)
