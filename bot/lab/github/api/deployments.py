"""Deployments and what became of them."""

from __future__ import annotations

from collections.abc import Mapping

from bot.lab.github.api.commits import resolved
from bot.lab.github.call import Call, Endpoint, Refusal, Reply, invalid, not_found
from bot.lab.github.checks import checks_state, latest_checks
from bot.lab.github.nouns import Deployment, DeploymentStatus
from bot.lab.github.shapes import deployments as show
from bot.lab.github.world import Happening

_DEPLOYMENTS = "/repos/{owner}/{repo}/deployments"
_ONE = _DEPLOYMENTS + "/{number}"
_STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")


def _find(call: Call) -> Deployment:
    number = call.number("number")
    found = next((one for one in call.repository.deployments if one.id == number), None)
    if found is None:
        raise not_found()
    return found


def _list(call: Call) -> Reply:
    wanted = {name: call.query[name] for name in ("sha", "ref", "task", "environment") if name in call.query}
    found = [
        one
        for one in reversed(call.repository.deployments)
        if all(getattr(one, name) == value for name, value in wanted.items())
    ]
    page, headers = call.page(found)
    return Reply(body=[show.deployment(call.world, call.repository, one) for one in page], headers=headers)


def _create(call: Call) -> Reply:
    ref = call.required("ref", "Deployment")
    sha = call.repository.bare.resolve(ref)
    if sha is None:
        raise invalid(message=f"No ref found for: {ref}")
    _refuse_unchecked(call, sha)
    environment = call.text("environment") or "production"
    production = call.body.get("production_environment")
    made = Deployment(
        id=call.world.new_id(),
        sha=resolved(call, sha),
        ref=ref,
        task=call.text("task") or "deploy",
        environment=environment,
        original_environment=environment,
        description=call.text("description"),
        payload=call.body.get("payload") or {},
        creator=call.actor,
        created_at=call.world.now(),
        updated_at=call.world.now(),
        app=call.credential.app if call.credential else None,
        transient=call.body.get("transient_environment") is True,
        production=environment == "production" if production is None else production is True,
    )
    call.repository.deployments.append(made)
    _tell(call, "deployment", {"deployment": made})
    shown = show.deployment(call.world, call.repository, made)
    return Reply(body=shown, status=201, headers={"Location": str(shown["url"])})


def _refuse_unchecked(call: Call, sha: str) -> None:
    """Refuse where the commit's reports are not all good. An empty list of contexts asks for none."""
    asked = call.texts("required_contexts") if "required_contexts" in call.body else None
    contexts = latest_checks(call.repository, sha) if asked is None else asked
    missing = [one for one in contexts if checks_state(call.repository, sha, one) != "success"]
    if missing:
        said = f"Conflict: Commit status checks failed for {call.text('ref')}."
        error = {"contexts": missing, "resource": "Deployment", "field": "required_contexts", "code": "invalid"}
        raise Refusal(409, said, errors=[error])


def _get(call: Call) -> Reply:
    return Reply(body=show.deployment(call.world, call.repository, _find(call)))


def _statuses(call: Call) -> Reply:
    deployment = _find(call)
    page, headers = call.page(list(reversed(deployment.statuses)))
    shown = [show.deployment_status(call.world, call.repository, deployment, one) for one in page]
    return Reply(body=shown, headers=headers)


def _add_status(call: Call) -> Reply:
    deployment, state = _find(call), call.required("state", "DeploymentStatus")
    if state not in _STATES:
        raise invalid({"resource": "DeploymentStatus", "field": "state", "code": "custom"})
    deployment.environment = call.text("environment") or deployment.environment
    made = _status(call, deployment, state)
    deployment.statuses.append(made)
    deployment.updated_at = call.world.now()
    if state == "success" and call.body.get("auto_inactive") is not False:
        _retire_others(call, deployment)
    _tell(call, "deployment_status", {"deployment": deployment, "deployment_status": made})
    shown = show.deployment_status(call.world, call.repository, deployment, made)
    return Reply(body=shown, status=201, headers={"Location": str(shown["url"])})


def _status(call: Call, deployment: Deployment, state: str) -> DeploymentStatus:
    return DeploymentStatus(
        id=call.world.new_id(),
        state=state,
        description=call.text("description") or "",
        environment=deployment.environment,
        environment_url=call.text("environment_url") or "",
        log_url=call.text("log_url") or call.text("target_url") or "",
        creator=call.actor,
        created_at=call.world.now(),
        app=call.credential.app if call.credential else None,
    )


def _retire_others(call: Call, winner: Deployment) -> None:
    """Let older successes in the same environment be inactive, save production's, as GitHub does."""
    for other in call.repository.deployments:
        if other is winner or other.environment != winner.environment or other.transient or other.production:
            continue
        if other.statuses and other.statuses[-1].state == "success":
            other.statuses.append(_status(call, other, "inactive"))


def _tell(call: Call, event: str, facts: Mapping[str, object]) -> None:
    happening = Happening(repository=call.repository, event=event, action="created", sender=call.actor, facts=facts)
    call.world.tell(happening)


ENDPOINTS = (
    Endpoint(method="GET", path=_DEPLOYMENTS, handle=_list, needs="deployments:read"),
    Endpoint(method="POST", path=_DEPLOYMENTS, handle=_create, needs="deployments:write"),
    Endpoint(method="GET", path=_ONE, handle=_get, needs="deployments:read"),
    Endpoint(method="GET", path=_ONE + "/statuses", handle=_statuses, needs="deployments:read"),
    Endpoint(method="POST", path=_ONE + "/statuses", handle=_add_status, needs="deployments:write"),
)
