"""What `liftlock doctor` says of policies that are in a repository."""

from __future__ import annotations

import json

from bot.lab.clock import ManualClock
from bot.lab.world import Lab
from tests.scenarios.test_policies_from_git_on_lab import POLICIES, central, printed, push


def test_the_doctor_looks_at_the_policies_and_warns_of_a_branch_that_anybody_may_push_to(
    lab: Lab, clock: ManualClock
) -> None:
    with central(lab, clock) as (_, settings):

        def found() -> dict[str, tuple[str, str]]:
            told = json.loads(printed(settings, "doctor", "--json"))
            return {one["check"]: (one["mark"], one["found"]) for one in told}

        mark, said = found()["rules acme/policies main"]
        assert (mark, said) == (
            "warning",
            "main takes direct pushes: whoever may push there may have anything promoted",
        )
        lab.github.protect(POLICIES, "main", required_approvals=1)
        assert found()["rules acme/policies main"] == ("ok", "the policies change by pull request, with 1 review")
        assert found()["policies"] == ("ok", "1 policy can be used")
        assert found()["policies acme/policies"] == ("ok", "is there")


def test_the_doctor_tells_what_is_broken_and_what_goes_on(lab: Lab, clock: ManualClock) -> None:
    with central(lab, clock) as (_, settings):
        push(lab, "service: [")
        told = json.loads(printed(settings, "doctor", "--json"))
        (mark, found) = next((one["mark"], one["found"]) for one in told if one["check"] == "policy checkout.yaml")
        assert mark == "warning"
        assert found.startswith("checkout goes on under an older version: checkout.yaml:1:")
        push(lab, None)
        (one,) = [one for one in json.loads(printed(settings, "doctor", "--json")) if one["check"] == "policies"]
        assert one["mark"] == "failed"
        assert "no folder policies" in one["found"]
