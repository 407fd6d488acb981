"""What a branch demands, as GraphQL tells it: of everybody who may read, of rulesets, and of classic protection."""

from __future__ import annotations

from collections.abc import Sequence

from bot.lab.github.access import may
from bot.lab.github.graph.connections import connection
from bot.lab.github.graph.view import Field, Shape, View
from bot.lab.github.nouns import Protection
from bot.lab.github.shapes.repos import node
from bot.lab.github.world import Repository


def branch_rules(view: View, repository: Repository, branch: str) -> dict[str, Field | Shape | None]:
    """Return the fields of a `Ref` that tell of its rules; classic protection is told to administrators only."""
    one = repository.protections.get(branch)
    ruled = one if one is not None and one.ruleset else None
    classic = one if one is not None and not one.ruleset else None
    sees_classic = may(view.world, view.credential, repository, "administration:read")
    return {
        "refUpdateRule": None if one is None else _update_rule(view, repository, branch, one),
        "rules": connection("rules", lambda **_: _kinds(ruled), lambda kind: _rule(repository, kind, ruled)),
        "branchProtectionRule": _classic(view, repository, classic) if classic is not None and sees_classic else None,
    }


def _update_rule(view: View, repository: Repository, branch: str, one: Protection) -> Shape:
    login = view.actor.login
    return {
        "pattern": branch,
        "allowsDeletions": False,
        "allowsForcePushes": False,
        "blocksCreations": False,
        "requiredApprovingReviewCount": one.required_approvals or None,
        "requiredStatusCheckContexts": list(one.required_contexts),
        "requiresCodeOwnerReviews": False,
        "requiresConversationResolution": False,
        "requiresLinearHistory": "merge" not in repository.merge_methods,
        "requiresSignatures": False,
        "viewerAllowedToDismissReviews": False,
        "viewerCanPush": not one.demands_pull_request or login in one.may_push,
    }


def _kinds(one: Protection | None) -> Sequence[str]:
    if one is None:
        return ()
    found = ["DELETION", "NON_FAST_FORWARD"]
    found += ["PULL_REQUEST"] if one.demands_pull_request else []
    found += ["REQUIRED_STATUS_CHECKS"] if one.required_contexts else []
    return found + (["MERGE_QUEUE"] if one.merge_queue is not None else [])


def _rule(repository: Repository, kind: str, one: Protection | None) -> Shape:
    parameters: Shape | None = None
    if kind == "PULL_REQUEST" and one is not None:
        parameters = {
            "__typename": "PullRequestParameters",
            "allowedMergeMethods": [method.upper() for method in repository.merge_methods],
            "dismissStaleReviewsOnPush": one.dismiss_stale_reviews,
            "requireCodeOwnerReview": False,
            "requireLastPushApproval": False,
            "requiredApprovingReviewCount": one.required_approvals,
            "requiredReviewThreadResolution": False,
        }
    if kind == "REQUIRED_STATUS_CHECKS" and one is not None:
        parameters = {
            "__typename": "RequiredStatusChecksParameters",
            "doNotEnforceOnCreate": False,
            "requiredStatusChecks": [
                {"context": name, "integrationId": one.integrations.get(name)} for name in one.required_contexts
            ],
            "strictRequiredStatusChecksPolicy": one.strict,
        }
    ruleset = {"id": node("RRS", 1), "name": "main", "enforcement": "ACTIVE", "databaseId": 1}
    number = f"{node('RR', repository.id)}{kind}"
    return {"id": number, "type": kind, "repositoryRuleset": ruleset, "parameters": parameters}


def _classic(view: View, repository: Repository, one: Protection) -> Shape:
    return {
        "id": node("BPR", repository.id),
        "requiresApprovingReviews": one.required_approvals > 0,
        "requiredApprovingReviewCount": one.required_approvals or None,
        "requiresStatusChecks": bool(one.required_contexts),
        "requiresStrictStatusChecks": one.strict,
        "requiredStatusChecks": [
            {"context": name, "app": _app(view, one.integrations.get(name))} for name in one.required_contexts
        ],
    }


def _app(view: View, number: int | None) -> Shape | None:
    found = view.world.apps.get(number) if number is not None else None
    if found is None:
        return None
    return {"id": node("A", found.id), "databaseId": found.id, "name": found.slug, "slug": found.slug}
