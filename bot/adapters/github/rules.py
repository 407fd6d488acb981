"""What a repository and a branch demand of a merge: classic protection and rulesets in one value.

Which parts are seen depends on the token: `refUpdateRule` and rulesets show to everybody who may write, classic
protection with the app of each check only to administrators. What is not shown demands nothing here; GitHub itself then
refuses the merge, and `mergeStateStatus` says BLOCKED. A right to bypass a ruleset is not seen either.
"""

from __future__ import annotations

from collections.abc import Iterable

from bot.adapters.github.answers import SYSTEM
from bot.adapters.github.nodes import Node, objects
from bot.domain.pulls import MergeMethod, MergeRules, RequiredCheck
from bot.ports import Permanent

_FORBID_PUSHES = frozenset({"PULL_REQUEST", "REQUIRED_STATUS_CHECKS", "MERGE_QUEUE", "UPDATE", "LOCK_BRANCH"})


def parse_rules(repository: Node, ref: Node) -> MergeRules:
    """Read the rules of a branch from a look."""
    rules = list(_rules(ref))
    update = ref.maybe_node("refUpdateRule")
    kinds = {rule.text("type") for rule in rules}
    has_queue = repository.maybe_node("mergeQueue") is not None or "MERGE_QUEUE" in kinds
    return MergeRules(
        methods=_methods(repository, ref),
        has_queue=has_queue,
        may_arm=repository.flag("autoMergeAllowed"),
        required_checks=required_checks(ref),
        approvals=required_approvals(ref),
        is_strict=_is_strict(ref),
        takes_pushes=not (kinds & _FORBID_PUSHES) and _lets_push(update),
        deletes_branches=repository.flag("deleteBranchOnMerge"),
    )


def _rules(ref: Node) -> Iterable[Node]:
    """Go through the rules of active rulesets."""
    if ref.raw("rules") is None:
        return
    if ref.node("rules").node("pageInfo").flag("hasNextPage"):
        raise Permanent(SYSTEM, "the branch has more than 100 rules, so that not all of them can be heeded")
    for rule in ref.connection("rules"):
        ruleset = rule.maybe_node("repositoryRuleset")
        if ruleset is None or ruleset.text("enforcement") == "ACTIVE":
            yield rule


def _parameters(ref: Node, kind: str) -> Iterable[Node]:
    return (rule.node("parameters") for rule in _rules(ref) if rule.text("type") == kind)


def required_checks(ref: Node) -> tuple[RequiredCheck, ...]:
    """Return the required checks; one that is bound to an app somewhere is bound to it."""
    found = list(_ruleset_checks(ref)) + list(_protection_checks(ref))
    bound = {check.name for check in found if check.app_id is not None}
    found = [check for check in found if check.app_id is not None or check.name not in bound]
    known = {check.name for check in found}
    found += [RequiredCheck(name=name) for name in _plain_names(ref) if name not in known]
    return tuple(dict.fromkeys(found))


def _ruleset_checks(ref: Node) -> Iterable[RequiredCheck]:
    for parameters in _parameters(ref, "REQUIRED_STATUS_CHECKS"):
        for check in parameters.items("requiredStatusChecks"):
            yield RequiredCheck(name=check.text("context"), app_id=check.maybe_number("integrationId"))


def _protection_checks(ref: Node) -> Iterable[RequiredCheck]:
    protection = ref.maybe_node("branchProtectionRule")
    if protection is None or not protection.flag("requiresStatusChecks"):
        return
    listed = protection.raw("requiredStatusChecks")
    for check in objects([] if listed is None else listed, "requiredStatusChecks"):
        app = check.maybe_node("app")
        yield RequiredCheck(name=check.text("context"), app_id=None if app is None else app.number("databaseId"))


def _plain_names(ref: Node) -> list[str]:
    update = ref.maybe_node("refUpdateRule")
    names = None if update is None else update.raw("requiredStatusCheckContexts")
    return [str(name) for name in names if name is not None] if isinstance(names, list) else []


def _methods(repository: Node, ref: Node) -> tuple[MergeMethod, ...]:
    allowed = {
        MergeMethod.MERGE: repository.flag("mergeCommitAllowed"),
        MergeMethod.SQUASH: repository.flag("squashMergeAllowed"),
        MergeMethod.REBASE: repository.flag("rebaseMergeAllowed"),
    }
    for parameters in _parameters(ref, "PULL_REQUEST"):
        named = parameters.raw("allowedMergeMethods")
        if isinstance(named, list):
            allowed = {method: is_so and method.name in named for method, is_so in allowed.items()}
    if _is_linear(ref):
        allowed[MergeMethod.MERGE] = False
    return tuple(method for method, is_so in allowed.items() if is_so)


def _is_linear(ref: Node) -> bool:
    update = ref.maybe_node("refUpdateRule")
    by_protection = update is not None and update.flag("requiresLinearHistory")
    return by_protection or any(rule.text("type") == "REQUIRED_LINEAR_HISTORY" for rule in _rules(ref))


def required_approvals(ref: Node) -> int:
    """Return how many approving reviews the branch demands."""
    counts = [parameters.number("requiredApprovingReviewCount") for parameters in _parameters(ref, "PULL_REQUEST")]
    for name in ("refUpdateRule", "branchProtectionRule"):
        source = ref.maybe_node(name)
        counts.append(0 if source is None else source.maybe_number("requiredApprovingReviewCount") or 0)
    return max(counts)


def _is_strict(ref: Node) -> bool:
    protection = ref.maybe_node("branchProtectionRule")
    by_protection = protection is not None and protection.flag("requiresStrictStatusChecks")
    by_ruleset = [p.flag("strictRequiredStatusChecksPolicy") for p in _parameters(ref, "REQUIRED_STATUS_CHECKS")]
    return by_protection or any(by_ruleset)


def _lets_push(update: Node | None) -> bool:
    """A branch that demands reviews or checks takes no new commit that had none."""
    if update is None:
        return True
    demands = update.raw("requiredApprovingReviewCount") is not None or bool(update.raw("requiredStatusCheckContexts"))
    return update.flag("viewerCanPush") and not demands
