"""The systems beside GitHub, and this machine. Judgements of facts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from bot.adapters.argocd_index import Index
from bot.adapters.examination import ArgoFacts, PrometheusFacts
from bot.doctor.findings import Finding, counted, failed, judge_skew, listed, ok, warning
from bot.domain.argo import SelectedApplications, Target
from bot.domain.model import Artifact
from bot.domain.queries import DEFAULT_SOURCE, source_name

_OLDEST_GIT, _OLDEST_SIGNING_GIT = (2, 31), (2, 34)
"""`GIT_CONFIG_COUNT` and `--diff-merges=first-parent` came with 2.31, signatures by SSH keys with 2.34."""
_LITTLE_SPACE, _NO_SPACE = 1024**3, 100 * 1024**2


def judge_prometheus(name: str, facts: PrometheusFacts) -> list[Finding]:
    """Say whether a data source answers, and whether its clock agrees with ours."""
    check = source_name(name)
    if not facts.answers:
        url = f"{source_section(name)}.url"
        remedy = f"look at {url}: is it the API's root, with the path of a proxy in front of it?"
        return [failed(check, "it does not answer the query 1 with 1", remedy)]
    version = f", version {facts.version}" if facts.version else ""
    return [ok(check, f"answers{version}"), judge_skew(f"clock of {check}", facts.skew)]


def source_section(name: str) -> str:
    """Return the section of the settings that a data source is."""
    return name if name == DEFAULT_SOURCE else f"prometheus_servers.{name}"


def judge_data_sources(
    unknown: Mapping[str, Collection[str]], unserved: Mapping[str, Collection[str]]
) -> list[Finding]:
    """Say which data sources only policies name, and which name no tenant for some services: both by the services."""
    findings = []
    if unknown:
        remedy = "correct metrics_from in the policies, or add a section [prometheus_servers.NAME] to the settings"
        found = f"the settings do not name {_with_services(unknown)}; gates that ask them cannot tell"
        findings.append(failed("data sources", found, remedy))
    if unserved:
        remedy = "name the services in one of its tenants in the settings"
        found = f"no tenant is named at {_with_services(unserved)}; no query of theirs is sent"
        findings.append(failed("data sources", found, remedy))
    return findings


def _with_services(sources: Mapping[str, Collection[str]]) -> str:
    return listed(sorted(f"{source} (for {listed(sorted(services))})" for source, services in sources.items()))


def judge_argocd(name: str, facts: ArgoFacts, targets: Collection[Target]) -> list[Finding]:
    """Say whether the token is valid, and which of the policies' applications it sees."""
    check = argo_check(name)
    if facts.username is None:
        remedy = f"make one (argocd account generate-token) and put it into {_section(name)}.token_file"
        return [failed(check, "the token is not valid", remedy)]
    index = Index(facts.applications)
    missing = sorted({target.shown for target in targets if not _is_there(index, target)})
    version = f", version {facts.version}" if facts.version else ""
    whose = f"the token is {facts.username}'s{version}"
    if missing:
        wanted = f"{len(set(targets)) - len(missing)} of the policies' {counted(len(set(targets)), 'application')}"
        remedy = f"check the names, {_section(name)}.projects, and the right of {facts.username} to get applications"
        return [warning(check, f"{whose}; it sees {wanted}, not {listed(missing)}", remedy)]
    return [ok(check, f"{whose}; it sees all {counted(len(set(targets)), 'application')} of the policies")]


def argo_check(name: str) -> str:
    """Return the name of a server's line."""
    return "Argo CD" if name == "argocd" else f"Argo CD {name}"


def _section(name: str) -> str:
    return name if name == "argocd" else f"argocd_servers.{name}"


def _is_there(index: Index, target: Target) -> bool:
    return bool(index.selected(target) if isinstance(target, SelectedApplications) else index.named(target))


def judge_artifact(check: str, image: str, artifact: Artifact | None) -> Finding:
    """Say whether the registry tells what a running tag is."""
    if artifact is None:
        remedy = f'name it in the settings: [registries."{image.partition("/")[0]}"]'
        return warning(check, "not configured: digests and source commits are not known", remedy)
    return ok(check, f"tells {image} by its digest {artifact.digest[:19]}…")


def judge_state(directory: Path, *, is_writable: bool, free: int) -> list[Finding]:
    """Say whether the state directory can be used, and for how long."""
    if not is_writable:
        remedy = f"give the bot's user the right to write there: chown it, or set bot.state (now {directory})"
        return [failed("state directory", f"{directory} may not be written", remedy)]
    check, found = "disk space", f"{free / 1024**3:,.1f} GiB free for mirrors and the ledger"
    if free >= _LITTLE_SPACE:
        space = ok(check, found)
    elif free >= _NO_SPACE:
        space = warning(check, found, "make room: each mirror takes some megabytes, the ledger grows")
    else:
        space = failed(check, found, "make room: without it neither commits nor the ledger can be written")
    return [ok("state directory", f"{directory} may be written"), space]


def judge_git(version: tuple[int, int] | None, *, signs_by_ssh: bool) -> Finding:
    """Say whether there is a git that can do what is asked of it."""
    if version is None:
        return failed("git", "there is none on the PATH", "install git 2.31 or newer")
    shown = ".".join(str(part) for part in version)
    if version < _OLDEST_GIT:
        return failed("git", f"version {shown} is too old", "install git 2.31 or newer")
    if signs_by_ssh and version < _OLDEST_SIGNING_GIT:
        return failed("git", f"version {shown} cannot sign with SSH keys", "install git 2.34 or newer")
    return ok("git", f"version {shown}")


def judge_files(check: str, missing: Sequence[str], seen: int, named: int) -> Finding:
    """Say whether the files are there in which the tags stand."""
    if missing:
        return failed(check, f"not there: {listed(missing)}", "correct edit in the policies, or add the files")
    rest = "" if seen == named else f" that were looked at, of {named:,} named"
    return ok(check, f"all {counted(seen, 'file')} of the policies are there{rest}")
