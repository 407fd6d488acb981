"""The policies' own repository: whoever may push to its branch decides what is promoted. Judgements of facts."""

from __future__ import annotations

from bot.adapters.github.facts import RepositoryFacts
from bot.doctor.findings import Finding, counted, failed, ok, warning
from bot.domain.pulls import MergeRules

_PROTECT = "docs/policies-from-git.md, “Protect the branch”"


def judge_policies_repository(repository: str, facts: RepositoryFacts | None) -> Finding:
    """Say whether there is a repository to read the policies from."""
    check = f"policies {repository}"
    if facts is None:
        remedy = "check policies.repository in the settings, and that the App or the token reaches it"
        return failed(check, "GitHub knows no such repository, or does not show it to the bot", remedy)
    if facts.is_archived:
        return warning(check, "it is archived: its policies never change", "unarchive it, or name another in policies")
    moved = "" if facts.name.lower() == repository.lower() else f"it is called {facts.name} now"
    return warning(check, moved, "write its new name into policies.repository") if moved else ok(check, "is there")


def judge_policies_branch(repository: str, branch: str, rules: MergeRules) -> Finding:
    """Say whether a change of the policies needs a pull request, and a second person's review."""
    check = f"rules {repository} {branch}"
    if rules.takes_pushes:
        found = f"{branch} takes direct pushes: whoever may push there may have anything promoted"
        return warning(check, found, f"demand a pull request with a review: {_PROTECT}")
    if not rules.approvals:
        found = f"{branch} demands no review: one person alone may change what is promoted"
        return warning(check, found, f"demand one: {_PROTECT}")
    return ok(check, f"the policies change by pull request, with {counted(rules.approvals, 'review')}")
