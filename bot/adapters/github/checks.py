"""What was reported on a head, against what the branch requires: failed, pending, missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.adapters.github.identity import Identity, account_of_graph
from bot.adapters.github.nodes import Node
from bot.domain.naming import OWN_PREFIX
from bot.domain.pulls import Checks, RequiredCheck

_PASSED_RUN = frozenset({"SUCCESS", "NEUTRAL", "SKIPPED"})
_FAILED_STATUS = frozenset({"FAILURE", "ERROR"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A check run or a commit status. `app_id` is the app that reported it, where GitHub says so (runs only).

    `is_required` is what GitHub says of a status: that it is the one which the branch demands, by the right app.
    """

    name: str
    state: str
    is_own: bool
    app_id: int | None = None
    is_required: bool = False


def parse_report(node: Node, own: Identity) -> Report:
    """Read one entry of the list of a head. A conclusion that is not known here does not count as passed."""
    if node.text("__typename") == "CheckRun":
        return _parse_run(node, own)
    name, state = node.text("context"), node.text("state")
    creator = account_of_graph(node.maybe_node("creator"))
    return Report(
        name=name,
        state="missing" if state == "EXPECTED" else _state(passed=state == "SUCCESS", failed=state in _FAILED_STATUS),
        is_own=name.startswith(OWN_PREFIX) and creator is not None and creator.is_same(own),
        is_required=node.flag("isRequired"),
    )


def _parse_run(node: Node, own: Identity) -> Report:
    name = node.text("name")
    app = node.node("checkSuite").maybe_node("app")
    app_id = None if app is None else app.number("databaseId")
    is_done = node.text("status") == "COMPLETED"
    has_passed = is_done and node.text("conclusion") in _PASSED_RUN
    return Report(
        name=name,
        state=_state(passed=has_passed, failed=is_done and not has_passed),
        is_own=name.startswith(OWN_PREFIX) and app_id is not None and app_id == own.app_id,
        app_id=app_id,
    )


def _state(*, passed: bool, failed: bool) -> str:
    return "passed" if passed else "failed" if failed else "pending"


def judge_reports(reports: Sequence[Report], required: Iterable[RequiredCheck], own: Identity) -> Checks:
    """Sort the reports. A required check that another app reports than the one that must counts as missing.

    What the bot itself reported counts neither as failed nor as pending: it knows better. A required check of its own
    name that nobody has reported is missing as any other; who looks at a promotion knows which one it gives itself.
    """
    others = [report for report in reports if not report.is_own]
    demanded = [check for check in required if not _is_bound_to(check, own)]
    missing = [report.name for report in others if report.state == "missing"]
    missing += [check.name for check in demanded if not any(_answers(report, check) for report in reports)]
    return Checks(
        failed=_unique(report.name for report in others if report.state == "failed"),
        pending=_unique(report.name for report in others if report.state == "pending"),
        missing=_unique(missing),
    )


def _answers(report: Report, check: RequiredCheck) -> bool:
    if report.name != check.name or report.state == "missing":
        return False
    return check.app_id is None or report.app_id == check.app_id or report.is_required


def _is_bound_to(check: RequiredCheck, own: Identity) -> bool:
    """Say whether only the bot may report this check: it cannot wait for itself."""
    return check.name.startswith(OWN_PREFIX) and check.app_id is not None and check.app_id == own.app_id


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
