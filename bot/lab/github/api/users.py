"""The logged-in user, rate limits, repositories, collaborators, and GitHub Apps."""

from __future__ import annotations

import time

import jwt

from bot.lab.github.call import Call, Endpoint, Json, Refusal, Reply, invalid, not_found
from bot.lab.github.nouns import App
from bot.lab.github.shapes import repos as show
from bot.lab.github.shapes.deployments import webhook_config
from bot.lab.github.world import Repository

_OLDEST_JWT_SECONDS = 600
_SKEW_SECONDS = 60
_LEVELS = ("none", "read", "write", "admin")
_LATE = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which it expires"
_UNREACHABLE = "There is at least one repository that does not exist or is not accessible to the parent installation."


def _user(call: Call) -> Reply:
    if call.credential is not None and call.credential.app is not None:
        raise Refusal(403, "Resource not accessible by integration")
    return Reply(body=show.whole_account(call.world, call.actor))


def _repository(call: Call) -> Reply:
    credential = call.credential
    role = None if credential is None else call.world.role(credential.account, call.repository)
    return Reply(body=show.whole_repository(call.world, call.repository, role))


def _permission(call: Call) -> Reply:
    who = call.world.accounts.get(call.parameters["username"].lower())
    if who is None:
        raise Refusal(404, f"{call.parameters['username']} is not a user")
    role = call.world.role(who, call.repository)
    old_word = {"triage": "read", "maintain": "write", None: "none"}.get(role, role)
    user: Json = {**show.account(call.world, who), "permissions": show.rights(role), "role_name": role or "none"}
    return Reply(body={"permission": old_word, "role_name": role or "none", "user": user})


# --- apps ------------------------------------------------------------------------------------------------------------


def _app_of(call: Call) -> App:
    """Return the app whose JWT came with the call. JWTs are dated by the caller's machine, not by the lab's clock."""
    try:
        issuer = str(jwt.decode(call.bearer, options={"verify_signature": False}).get("iss"))
        app = call.world.apps[int(issuer)]
        claims = jwt.decode(
            call.bearer, app.public_key, algorithms=["RS256"], options={"verify_iat": False, "require": ["iat", "exp"]}
        )
    except jwt.ExpiredSignatureError as error:
        raise Refusal(401, _LATE) from error
    except (jwt.InvalidTokenError, KeyError, ValueError) as error:
        raise Refusal(401, "A JSON web token could not be decoded") from error
    if claims["iat"] > time.time() + _SKEW_SECONDS:
        raise Refusal(401, "'Issued at' claim ('iat') must be an Integer representing a time in the past")
    if claims["exp"] > time.time() + _OLDEST_JWT_SECONDS + _SKEW_SECONDS:
        raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
    return app


def _app(call: Call) -> Reply:
    app = _app_of(call)
    return Reply(body={**show.app(call.world, app), "installations_count": 1})


def _installations(call: Call) -> Reply:
    page, headers = call.page([show.installation(call.world, _app_of(call))])
    return Reply(body=page, headers=headers)


def _installation(call: Call) -> Reply:
    app = _app_of(call)
    if call.number("number") != app.installation_id:
        raise not_found()
    return Reply(body=show.installation(call.world, app))


def _reached(call: Call, app: App, full_name: str) -> Repository | None:
    """Return a repository if the app's installation reaches it."""
    found = call.world.repositories.get(full_name.lower())
    if found is None or found.owner is not app.owner:
        return None
    return found if app.repositories is None or found.full_name in app.repositories else None


def _reached_by_id(call: Call, app: App, number: int) -> Repository | None:
    named = (one.full_name for one in call.world.repositories.values() if one.id == number)
    name = next(named, None)
    return None if name is None else _reached(call, app, name)


def _hook_config(call: Call) -> Reply:
    app = _app_of(call)
    if app.webhook is None:
        raise not_found()
    return Reply(body=webhook_config(app.webhook))


def _repository_installation(call: Call) -> Reply:
    app = _app_of(call)
    if _reached(call, app, f"{call.parameters['owner']}/{call.parameters['repo']}") is None:
        raise not_found()
    return Reply(body=show.installation(call.world, app))


def _access_token(call: Call) -> Reply:
    app = _app_of(call)
    if call.number("number") != app.installation_id:
        raise not_found()
    permissions = _narrowed(call, app)
    chosen = [_reached(call, app, f"{app.owner.login}/{name}") for name in call.texts("repositories")]
    chosen += [_reached_by_id(call, app, number) for number in call.numbers("repository_ids")]
    reached = [repository for repository in chosen if repository is not None]
    if len(reached) != len(chosen):
        raise invalid(message=_UNREACHABLE)
    names = tuple(repository.full_name for repository in reached) or app.repositories
    token, credential = call.world.issue_installation_token(app, permissions, names)
    answer: Json = {
        "token": token,
        "expires_at": show.optional_instant(credential.expires_at),
        "permissions": permissions,
        "repository_selection": "all" if names is None else "selected",
    }
    if reached:
        answer["repositories"] = [show.repository(call.world, repository) for repository in reached]
    return Reply(body=answer, status=201)


def _narrowed(call: Call, app: App) -> dict[str, str]:
    asked = call.body.get("permissions")
    # PyGithub always sends the object; empty, it narrows nothing.
    if not asked or not isinstance(asked, dict):
        return dict(app.permissions)
    for area, level in asked.items():
        if level not in _LEVELS or _LEVELS.index(level) > _LEVELS.index(app.permissions.get(area, "none")):
            raise invalid(message="The permissions requested are not granted to this installation.")
    return {str(area): str(level) for area, level in asked.items()}


ENDPOINTS = (
    Endpoint(method="GET", path="/user", handle=_user, needs=""),
    Endpoint(method="GET", path="/app", handle=_app, needs="", login=False),
    Endpoint(method="GET", path="/app/hook/config", handle=_hook_config, needs="", login=False),
    Endpoint(method="GET", path="/app/installations", handle=_installations, needs="", login=False),
    Endpoint(method="GET", path="/app/installations/{number}", handle=_installation, needs="", login=False),
    Endpoint(
        method="POST", path="/app/installations/{number}/access_tokens", handle=_access_token, needs="", login=False
    ),
    Endpoint(
        method="GET",
        path="/repos/{owner}/{repo}/installation",
        handle=_repository_installation,
        needs="",
        login=False,
    ),
    Endpoint(method="GET", path="/repos/{owner}/{repo}", handle=_repository),
    Endpoint(method="GET", path="/repos/{owner}/{repo}/collaborators/{username}/permission", handle=_permission),
)
