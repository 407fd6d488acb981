"""Commit statuses and check runs."""

from __future__ import annotations

from datetime import datetime

from bot.lab.github.api.commits import resolved
from bot.lab.github.call import Call, Endpoint, Refusal, Reply, invalid, not_found
from bot.lab.github.checks import check_runs_of, latest_statuses, statuses_of
from bot.lab.github.nouns import App, CheckRun, Status
from bot.lab.github.shapes import checks as show
from bot.lab.github.world import Happening

_REPO = "/repos/{owner}/{repo}"


def _combined(call: Call) -> Reply:
    sha = resolved(call, call.parameters["ref"])
    found = latest_statuses(call.repository, sha)
    page, headers = call.page(found)
    body = show.combined_status(call.world, call.repository, sha, page=page, total=len(found))
    return Reply(body=body, headers=headers)


def _statuses(call: Call) -> Reply:
    page, headers = call.page(statuses_of(call.repository, resolved(call, call.parameters["ref"])))
    return Reply(body=[show.status(call.world, call.repository, one) for one in page], headers=headers)


def _create_status(call: Call) -> Reply:
    sha = resolved(call, call.parameters["sha"])
    state = call.required("state", "Status")
    if state not in {"error", "failure", "pending", "success"}:
        said = "state is not included in the list"
        raise invalid({"resource": "Status", "field": "state", "code": "custom", "message": said})
    status = Status(
        id=call.world.new_id(),
        sha=sha,
        context=call.text("context") or "default",
        state=state,
        description=call.text("description"),
        target_url=call.text("target_url"),
        creator=call.actor,
        created_at=call.world.now(),
        app_id=call.credential.app.id if call.credential and call.credential.app else None,
    )
    call.repository.statuses.append(status)
    facts = {"status": status}
    call.world.tell(Happening(repository=call.repository, event="status", sender=call.actor, facts=facts))
    return Reply(body=show.status(call.world, call.repository, status), status=201)


def _check_runs(call: Call) -> Reply:
    sha = resolved(call, call.parameters["ref"])
    everything = call.query.get("filter") == "all"
    runs = (
        [run for run in call.repository.check_runs if run.sha == sha]
        if everything
        else check_runs_of(call.repository, sha)
    )
    name, status = call.query.get("check_name"), call.query.get("status")
    runs = [run for run in runs if name in (None, run.name) and status in (None, run.status)]
    page, headers = call.page(runs)
    shown = [show.check_run(call.world, call.repository, run) for run in page]
    return Reply(body={"total_count": len(runs), "check_runs": shown}, headers=headers)


def _writing_app(call: Call) -> App:
    if call.credential is None or call.credential.app is None:
        raise Refusal(403, "You must authenticate via a GitHub App.")
    return call.credential.app


def _create_check_run(call: Call) -> Reply:
    run = CheckRun(
        id=call.world.new_id(),
        sha=resolved(call, call.required("head_sha", "CheckRun")),
        name=call.required("name", "CheckRun"),
        status="queued",
        conclusion=None,
        app=_writing_app(call),
        started_at=call.world.now(),
    )
    _fill(call, run)
    call.repository.check_runs.append(run)
    _tell(call, run, "created")
    return Reply(body=show.check_run(call.world, call.repository, run), status=201)


def _find_run(call: Call) -> CheckRun:
    number = call.number("number")
    run = next((run for run in call.repository.check_runs if run.id == number), None)
    if run is None:
        raise not_found()
    return run


def _check_run(call: Call) -> Reply:
    return Reply(body=show.check_run(call.world, call.repository, _find_run(call)))


def _update_check_run(call: Call) -> Reply:
    run = _find_run(call)
    if run.app is not _writing_app(call):
        said = "check run can only be modified by the GitHub App that created it."
        raise Refusal(403, f"Invalid app_id `{_writing_app(call).id}` - {said}")
    run.name = call.text("name") or run.name
    _fill(call, run)
    _tell(call, run, "completed" if run.status == "completed" else "created")
    return Reply(body=show.check_run(call.world, call.repository, run))


def _fill(call: Call, run: CheckRun) -> None:
    run.conclusion = call.text("conclusion") or run.conclusion
    run.status = "completed" if run.conclusion else call.text("status") or run.status
    if run.status == "completed" and run.conclusion is None:
        raise invalid(message="Invalid request.\n\nconclusion is required when status is completed.")
    run.started_at = _instant(call, "started_at") or run.started_at
    if run.status == "completed":
        run.completed_at = _instant(call, "completed_at") or run.completed_at or call.world.now()
    run.details_url = call.text("details_url") or run.details_url
    run.external_id = call.text("external_id") or run.external_id
    output = call.body.get("output")
    if isinstance(output, dict):
        run.title, run.summary, run.text = output.get("title"), output.get("summary"), output.get("text")


def _instant(call: Call, name: str) -> datetime | None:
    text = call.text(name)
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid(message=f"Invalid request.\n\n{text} is not a valid date-time.") from error


def _tell(call: Call, run: CheckRun, action: str) -> None:
    happening = Happening(
        repository=call.repository, event="check_run", action=action, sender=call.actor, facts={"check_run": run}
    )
    call.world.tell(happening)


ENDPOINTS = (
    Endpoint(method="GET", path=_REPO + "/commits/{ref:path}/status", handle=_combined, needs="statuses:read"),
    Endpoint(method="GET", path=_REPO + "/commits/{ref:path}/statuses", handle=_statuses, needs="statuses:read"),
    Endpoint(method="POST", path=_REPO + "/statuses/{sha}", handle=_create_status, needs="statuses:write"),
    Endpoint(method="GET", path=_REPO + "/commits/{ref:path}/check-runs", handle=_check_runs, needs="checks:read"),
    Endpoint(method="POST", path=_REPO + "/check-runs", handle=_create_check_run, needs="checks:write"),
    Endpoint(method="GET", path=_REPO + "/check-runs/{number}", handle=_check_run, needs="checks:read"),
    Endpoint(method="PATCH", path=_REPO + "/check-runs/{number}", handle=_update_check_run, needs="checks:write"),
)
