"""Who the bot is at GitHub, and what it may do there. Judgements of facts: nothing here asks anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from bot.adapters.github.credentials import PERMISSIONS
from bot.adapters.github.facts import AppFacts, InstallationFacts, LimitFacts, RepositoryFacts, UserFacts
from bot.doctor.findings import Finding, failed, listed, ok, warning
from bot.domain.policy import Policy, ProofsIn

_SOON = timedelta(days=14)
_LEVELS = ("none", "read", "write", "admin")
_LITTLE = 0.1
UNTOLD = "it is not told of its releases"


def needed_permissions(policies: Collection[Policy], signals: Collection[str]) -> Mapping[str, str]:
    """Return what an App needs: what its tokens ask for, less what is off, and what only some policies ask for.

    That is teams where they name some, and attestations where they look for proofs at GitHub.
    """
    unused = {"deployments"} - set(signals)
    needed = {area: level for area, level in PERMISSIONS.items() if area not in unused}
    proposing = [stage.proposing for policy in policies for stage in policy.stages]
    named = [one for each in proposing for one in (*each.approvers, *(each.approvals.people if each.approvals else ()))]
    if any("/" in name for name in named):
        needed["members"] = "read"
    if any(ProofsIn.GITHUB in stage.proofs_in for policy in policies for stage in policy.stages):
        needed["attestations"] = "read"
    return needed


def judge_app(app: AppFacts, app_id: int) -> Finding:
    """Say which App it is."""
    if app.id != app_id:
        found = f"the private key is of the App {app.slug} (id {app.id}), the settings say {app_id}"
        return failed("GitHub credentials", found, "set github.app_id to the number on the App's page")
    return ok("GitHub credentials", f"GitHub App {app.slug}, id {app.id}")


def judge_user(user: UserFacts, now: datetime) -> list[Finding]:
    """Say whose token it is, whether it will last, and whether it reaches more than it should."""
    check = "GitHub credentials"
    findings = [_judge_expiry(user, now)]
    if user.scopes is not None:
        found = f"a classic token of {user.login}: it reaches all that this account reaches"
        findings.append(warning(check, found, "use a GitHub App, or a fine-grained token (docs/github.md)"))
    return findings


def _judge_expiry(user: UserFacts, now: datetime) -> Finding:
    check, whose = "GitHub credentials", f"a token of {user.login}"
    if user.expires_at is None:
        return ok(check, f"{whose}; it does not say when it expires")
    until = user.expires_at.strftime("%Y-%m-%d")
    if user.expires_at - now < _SOON:
        return warning(check, f"{whose}, valid until {until} only", "make a new one and put it into github.token_file")
    return ok(check, f"{whose}, valid until {until}")


def judge_installations(
    app: AppFacts, found: Mapping[str, InstallationFacts | None], sources: Collection[str]
) -> list[Finding]:
    """Say on which of the repositories the App is installed. Those of `sources` are only told of releases."""
    check = "GitHub installation"
    missing = [name for name, one in found.items() if one is None and name not in sources]
    untold = [name for name, one in found.items() if one is None and name in sources]
    suspended = sorted({one.account for one in found.values() if one is not None and one.is_suspended})
    findings = []
    if missing:
        remedy = f"install it there: {app.url}/installations/new, and choose these repositories"
        findings.append(failed(check, f"{app.slug} is not installed on {listed(missing)}", remedy))
    if untold:
        remedy = f"install it there too: {app.url}/installations/new, or leave source out of the policies"
        findings.append(warning(check, f"{app.slug} is not installed on {listed(untold)}: {UNTOLD}", remedy))
    if suspended:
        remedy = "an owner of the account unsuspends it: Settings → GitHub Apps → Configure"
        findings.append(failed(check, f"{app.slug} is suspended on {listed(suspended)}", remedy))
    there = [name for name, one in found.items() if one is not None and not one.is_suspended]
    return findings or [ok(check, f"{app.slug} is installed on {listed(there)}")]


def judge_permissions(installation: InstallationFacts, needed: Mapping[str, str]) -> list[Finding]:
    """Compare what an installation was granted with what the bot needs: neither less nor more."""
    check = f"permissions {installation.account}"
    granted = installation.permissions
    missing = missing_permissions(granted, needed)
    # What is switched off may stay granted: the App asks for it all the same when it is switched on again.
    wanted = {**PERMISSIONS, **needed}
    more = [f"{area}: {level}" for area, level in sorted(granted.items()) if _level(level) > _level(wanted.get(area))]
    findings = []
    if missing:
        remedy = f"grant it in the App's settings (Permissions & events), then accept it at {installation.url}"
        findings.append(failed(check, f"not granted: {', '.join(missing)}", remedy))
    if more:
        remedy = "take it away in the App's settings (Permissions & events): the bot never uses it"
        findings.append(warning(check, f"granted beyond need: {', '.join(more)}", remedy))
    return findings or [ok(check, ", ".join(f"{area}: {level}" for area, level in sorted(granted.items())))]


def missing_permissions(granted: Mapping[str, str], needed: Mapping[str, str]) -> list[str]:
    """Return what is needed and not granted, as `area: level`."""
    return [f"{area}: {level}" for area, level in sorted(needed.items()) if _level(granted.get(area)) < _level(level)]


def _level(word: str | None) -> int:
    return _LEVELS.index(word) if word in _LEVELS else 0


def judge_rights(repository: RepositoryFacts, login: str, *, is_source: bool) -> Finding:
    """Compare a token's role in a repository with what the bot needs there."""
    check, rights = f"permissions {repository.name}", repository.rights
    role = next((word for word in ("admin", "maintain", "push", "triage", "pull") if rights.get(word)), "none")
    shown = {"push": "write", "pull": "read"}.get(role, role)
    if not rights.get("push"):
        what = "set statuses" if is_source else "push branches and open pull requests"
        remedy = f"give {login} the role Write in {repository.name}: the bot has to {what} there"
        return failed(check, f"the role of {login} is {shown}", remedy)
    if role in ("admin", "maintain"):
        remedy = f"the role Write is enough: take the rest away from {login}"
        return warning(check, f"the role of {login} is {shown}", remedy)
    return ok(check, f"the role of {login} is {shown}; what the token itself may do, GitHub does not tell")


def judge_limits(account: str, limits: Mapping[str, LimitFacts]) -> Finding:
    """Say what is left of the hour."""
    check = f"rate limit {account}"
    left = ", ".join(f"{name} {one.remaining:,} of {one.limit:,}" for name, one in limits.items())
    low = [one for one in limits.values() if one.remaining < one.limit * _LITTLE]
    if not low:
        return ok(check, f"left: {left}")
    reset = max(one.reset for one in low).strftime("%H:%M UTC")
    remedy = f"it is full again at {reset}; see what else works with these credentials, and bot.interval"
    if any(one.remaining == 0 for one in low):
        return failed(check, f"left: {left}", remedy)
    return warning(check, f"left: {left}", remedy)


def owners(repositories: Sequence[str]) -> dict[str, str | None]:
    """Return one repository for each owner, whose installation serves all of theirs."""
    return {name.partition("/")[0]: name for name in reversed(repositories)}
