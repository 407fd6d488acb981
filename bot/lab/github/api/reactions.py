"""Reactions to comments."""

from __future__ import annotations

from bot.lab.github.access import may
from bot.lab.github.call import Call, Endpoint, Refusal, Reply, invalid, not_found
from bot.lab.github.nouns import Comment, Reaction
from bot.lab.github.shapes import pulls as show

_REACTIONS = "/repos/{owner}/{repo}/issues/comments/{number}/reactions"
_CONTENTS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


def _comment(call: Call) -> Comment:
    found = call.repository.comment(call.number("number"))
    if found is None:
        raise not_found()
    return found


def _list(call: Call) -> Reply:
    wanted = call.query.get("content")
    found = [one for one in _comment(call).reactions if wanted in (None, one.content)]
    page, headers = call.page(found)
    return Reply(body=[show.reaction(call.world, one) for one in page], headers=headers)


def _react(call: Call) -> Reply:
    comment, content = _comment(call), call.required("content", "Reaction")
    if content not in _CONTENTS:
        raise invalid({"resource": "Reaction", "field": "content", "code": "invalid"})
    for reaction in comment.reactions:
        if reaction.author is call.actor and reaction.content == content:
            return Reply(body=show.reaction(call.world, reaction))
    made = Reaction(id=call.world.new_id(), author=call.actor, content=content, created_at=call.world.now())
    comment.reactions.append(made)
    return Reply(body=show.reaction(call.world, made), status=201)


def _take_back(call: Call) -> Reply:
    comment, number = _comment(call), call.number("reaction")
    found = next((one for one in comment.reactions if one.id == number), None)
    if found is None:
        raise not_found()
    writes = call.credential is not None and may(call.world, call.credential, call.repository, "contents:write")
    if found.author is not call.actor and not writes:
        raise Refusal(403, f"Must have write access to {call.repository.full_name}.")
    comment.reactions.remove(found)
    return Reply(status=204)


ENDPOINTS = (
    Endpoint(method="GET", path=_REACTIONS, handle=_list, needs="issues:read"),
    Endpoint(method="POST", path=_REACTIONS, handle=_react, needs="issues:write"),
    Endpoint(method="DELETE", path=_REACTIONS + "/{reaction}", handle=_take_back, needs="issues:write"),
)
