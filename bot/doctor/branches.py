"""What a repository and its branch let the bot do, against what the policies ask. Judgements of facts.

The rules are those that the bot decides by, read by the same look, so that this says beforehand what a decision would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.adapters.github.facts import RepositoryFacts
from bot.doctor.findings import Finding, counted, failed, listed, ok, warning
from bot.doctor.identity import UNTOLD
from bot.domain.merging import why_not_armed
from bot.domain.naming import check_name
from bot.domain.observation import ForgeFacts
from bot.domain.policy import AutoMerge, Merge, Policy, Road, Stage

_BINDING = "docs/github.md, “Require the check, from this App”"


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A tracked branch with the policies that promote in it. `may_bypass` says that no ruleset stops its pushes."""

    repository: str
    name: str
    forge: ForgeFacts
    policies: Sequence[Policy]
    may_bypass: bool = False

    @property
    def check(self) -> str:
        """The line's name."""
        return f"rules {self.repository} {self.name}"

    def targets(self) -> Iterator[tuple[Policy, Stage]]:
        """Go through the stages that releases are promoted to."""
        yield from ((policy, stage) for policy in self.policies for stage in policy.stages if stage.source is not None)

    def proposed(self) -> Iterator[tuple[Policy, Stage]]:
        """Go through those that are promoted to by pull request."""
        yield from ((policy, stage) for policy, stage in self.targets() if stage.proposing.by is Road.PULL_REQUEST)


def judge_source(repository: str, facts: RepositoryFacts | None) -> Finding:
    """Say whether there is a repository of the source that can be told of its releases."""
    check = f"source {repository}"
    if facts is None:
        remedy = "check source in the policies, and that the App or the token reaches it"
        return warning(check, f"GitHub does not show it to the bot: {UNTOLD}", remedy)
    if facts.is_archived:
        return warning(check, f"it is archived: {UNTOLD}", "unarchive it, or leave source out of the policies")
    return ok(check, "is there")


def judge_repository(repository: str, facts: RepositoryFacts | None) -> Finding:
    """Say whether there is a repository to work in."""
    check = f"repository {repository}"
    if facts is None:
        remedy = "check the name in the policies, and that the App or the token reaches it"
        return failed(check, "GitHub knows no such repository, or does not show it to the bot", remedy)
    if facts.is_archived:
        return failed(check, "it is archived: nothing can be written to it", "unarchive it, or remove its policies")
    moved = "" if facts.name.lower() == repository.lower() else f"; it is called {facts.name} now"
    who = "GitHub" if facts.deletes_branches else "the bot"
    told = f"default branch {facts.default_branch}; {who} deletes merged branches{moved}"
    return warning(check, told, "write its new name into the policies") if moved else ok(check, told)


def judge_branch(branch: Branch) -> list[Finding]:
    """Say where the rules of a branch and the policies are at odds."""
    findings = [
        *_judge_checks(branch),
        *_judge_arming(branch),
        *_judge_methods(branch),
        *_judge_reviews(branch),
        *_judge_pushes(branch),
    ]
    return findings or [ok(branch.check, _summary(branch))]


def _summary(branch: Branch) -> str:
    rules = branch.forge.rules
    parts = [f"requires {listed([one.name for one in rules.required_checks])}" if rules.required_checks else ""]
    parts.append(f"{counted(rules.approvals, 'review')} required" if rules.approvals else "")
    parts.append("merges go through the merge queue" if rules.has_queue else "")
    parts.append(f"merges by {', '.join(rules.methods)}")
    return "; ".join(part for part in parts if part)


# --- the bot's own check ---------------------------------------------------------------------------------------------


def _judge_checks(branch: Branch) -> Iterator[Finding]:
    own, required = branch.forge.own_app_id, branch.forge.rules.required_checks
    names = list(dict.fromkeys(check_name(stage.name) for _, stage in branch.proposed()))
    foreign = {
        check.name: check.app_id
        for check in required
        if check.name in names and check.app_id is not None and check.app_id != own
    }
    for name, app_id in foreign.items():
        found = f"{name} must come from the App {app_id}, which is not the bot: no pull request can be merged"
        yield failed(branch.check, found, f"bind it to {_own(own)}: {_BINDING}", field="promote")
    known = {check.name for check in required}
    missing = [name for name in names if name not in known]
    if missing:
        found = f"{branch.name} does not require {listed(missing)}: a person can merge an unhealthy release by mistake"
        yield warning(branch.check, found, f"require it: {_BINDING}", field="promote")


def _own(app_id: int | None) -> str:
    return f"the App {app_id}" if app_id is not None else "no App: the bot works with a token here"


def _judge_arming(branch: Branch) -> Iterator[Finding]:
    refused: dict[tuple[AutoMerge, str], list[str]] = {}
    for policy, stage in branch.proposed():
        reason = why_not_armed(stage, policy.gitops.branch, branch.forge)
        if reason:
            refused.setdefault((stage.proposing.auto_merge, reason), []).append(f"{policy.service}/{stage.name}")
    for (wanted, reason), stages in refused.items():
        found = f"auto_merge: {wanted} of {listed(stages)}: {reason}"
        if wanted is AutoMerge.BOUND:
            remedy = f"allow auto-merge in the repository's settings, and bind the check ({_BINDING}); or never"
            yield failed(branch.check, found, remedy, field="promote.auto_merge")
        else:
            remedy = "Settings → General → Pull Requests → Allow auto-merge"
            yield warning(branch.check, found, remedy, field="promote.auto_merge")


# --- merging and pushing ---------------------------------------------------------------------------------------------


def _judge_methods(branch: Branch) -> Iterator[Finding]:
    rules = branch.forge.rules
    if not rules.methods:
        found = "no way of merging is allowed: neither merge commits, nor squashing, nor rebasing"
        yield failed(branch.check, found, "allow one: Settings → General → Pull Requests, and in the rulesets")
        return
    refused: dict[str, list[str]] = {}
    for policy, stage in branch.proposed():
        method = stage.proposing.method
        if method is not None and method not in rules.methods and not rules.has_queue:
            refused.setdefault(str(method), []).append(f"{policy.service}/{stage.name}")
    for wanted, stages in refused.items():
        found = f"promote.method: {wanted} of {listed(stages)} is not allowed; allowed: {', '.join(rules.methods)}"
        remedy = "change the policy, or allow it: Settings → General → Pull Requests"
        yield failed(branch.check, found, remedy, field="promote.method")


def _judge_reviews(branch: Branch) -> Iterator[Finding]:
    approvals = branch.forge.rules.approvals
    automatic = [f"{policy.service}/{stage.name}" for policy, stage in branch.proposed() if stage.merge is Merge.AUTO]
    if approvals and automatic:
        found = (
            f"{branch.name} requires {counted(approvals, 'review')}: merge: auto of {listed(automatic)} waits for one"
        )
        remedy = "write merge: human if that is meant, or let the App bypass the review"
        yield warning(branch.check, found, remedy, field="promote.merge")


def _judge_pushes(branch: Branch) -> Iterator[Finding]:
    if branch.forge.rules.takes_pushes:
        return
    promoted = [f"{p.service}/{s.name}" for p, s in branch.targets() if s.proposing.by is Road.COMMIT]
    if promoted:
        found = f"{branch.name} takes no direct pushes of the bot: promote.by: commit of {listed(promoted)} halts"
        remedy = "write promote: {by: pull-request}, or take the rule off this branch"
        yield failed(branch.check, found, remedy, field="promote.by")
    reverted = [
        f"{policy.service}/{stage.name}"
        for policy in branch.policies
        for stage in policy.stages
        if stage.rollback is not None and stage.rollback.by is Road.COMMIT
    ]
    if reverted and not branch.may_bypass:
        found = f"{branch.name} takes no direct pushes of the bot: rollback.by: commit of {listed(reverted)} fails"
        remedy = "add the App to the ruleset's bypass list (Always), or write rollback: {by: pull-request}"
        yield failed(branch.check, found, remedy, field="rollback.by")
