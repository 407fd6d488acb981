"""What is looked at, system by system: reads the facts of one check and has them judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bot.adapters.examination import (
    examine_argocd,
    examine_ledger,
    examine_prometheus,
    free_bytes,
    git_version,
    may_write_in,
)
from bot.adapters.github import GitHubAttestations
from bot.adapters.github.examination import Examination
from bot.adapters.http import Endpoint
from bot.adapters.prometheus_access import Access
from bot.adapters.registry import OciRegistry, RegistryAccess, parse_image
from bot.doctor import hooks, identity, systems
from bot.doctor.artifacts import ArtifactExaminer, signed_rules
from bot.doctor.branches import Branch, judge_branch, judge_repository, judge_source
from bot.doctor.findings import Check, Finding, failed, judge_skew, ok
from bot.doctor.policies import judge_policies_branch, judge_policies_repository
from bot.domain.edit import EditRefused, read_tag
from bot.domain.observation import ForgeFacts
from bot.domain.policy import Policy, Stage
from bot.domain.questions import services_by_source
from bot.forge import Forge
from bot.ports import Clock, Permanent
from bot.settings import PoliciesSection, Settings

_MOST_FILES = 20
"""How many files are looked at in a repository: each is a request."""
_REACH = "see whether it can be reached from here: address, proxy, certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """All that is examined: the settings, the policies that could be read, and what asks the systems."""

    settings: Settings
    policies: Sequence[Policy]
    clock: Clock
    github: Examination
    forge: Forge
    attestations: GitHubAttestations
    prometheus: Mapping[str, Endpoint]
    access: Mapping[str, Access]
    argocd: Mapping[str, Endpoint]
    registries: Mapping[str, Endpoint]
    registry_access: Mapping[str, RegistryAccess]
    hooks: hooks.Wanted

    @property
    def gitops(self) -> list[str]:
        """The repositories that say what should run."""
        return sorted({policy.gitops.repository for policy in self.policies})

    @property
    def repositories(self) -> list[str]:
        """All repositories: those that say what should run, that of the policies, then those of the source."""
        sources = {policy.source for policy in self.policies if policy.source is not None}
        section = self.settings.policies
        named = [*self.gitops, *([] if section is None else [section.repository]), *sorted(sources)]
        return list(dict.fromkeys(named))

    @property
    def needed(self) -> frozenset[str]:
        """Those without which the bot cannot work."""
        section = self.settings.policies
        return frozenset(self.gitops) | ({section.repository} if section is not None else set())

    def of(self, repository: str) -> list[Policy]:
        """Return the policies whose tags stand in a repository."""
        return [policy for policy in self.policies if policy.gitops.repository == repository]


def examinations(patient: Patient) -> list[Check]:
    """Return all checks, in the order in which they are shown."""
    return [*_github(patient), *_repositories(patient), *_systems(patient), *_machine(patient)]


# --- GitHub ----------------------------------------------------------------------------------------------------------


def _github(patient: Patient) -> Iterator[Check]:
    github, section = patient.github, patient.settings.github
    clock = "clock of GitHub"
    yield Check(name=clock, look=lambda: [judge_skew(clock, github.measure_skew())], remedy=f"github.api: {_REACH}")
    if github.is_app:
        remedy = "check github.app_id and github.private_key_file, and this machine's clock"
        yield Check(
            name="GitHub credentials",
            look=lambda: [identity.judge_app(github.find_app(), section.app_id or 0)],
            remedy=remedy,
        )
        yield Check(name="GitHub installation", look=lambda: _installed(patient), remedy=remedy)
    else:
        remedy = "make a new token and put it into github.token_file"
        yield Check(
            name="GitHub credentials",
            look=lambda: identity.judge_user(github.find_user(), patient.clock.now()),
            remedy=remedy,
        )
    # Each owner has an installation with limits of its own; a token has one for all that it reaches.
    accounts = identity.owners(patient.repositories) if github.is_app else {"of the token": None}
    for account, repository in accounts.items():
        yield _limits(patient, account, repository)
    yield Check(name="webhooks", look=lambda: _hooks(patient), remedy="docs/webhooks.md")


def _installed(patient: Patient) -> list[Finding]:
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = dict(
            zip(patient.repositories, pool.map(patient.github.find_installation, patient.repositories), strict=True)
        )
    sources = set(patient.repositories) - patient.needed
    findings = identity.judge_installations(patient.github.find_app(), found, sources)
    installations = {one.id: one for one in found.values() if one is not None}
    for number, one in installations.items():
        names = {name for name, at in found.items() if at is not None and at.id == number}
        policies = [policy for policy in patient.policies if names & {policy.gitops.repository, policy.source}]
        needed = identity.needed_permissions(policies, patient.settings.github.signals)
        findings += identity.judge_permissions(one, needed)
    return findings


def _limits(patient: Patient, account: str, repository: str | None) -> Check:
    def look() -> list[Finding]:
        return [identity.judge_limits(account, patient.github.find_limits(repository))]

    return Check(name=f"rate limit {account}", look=look, remedy="see the credentials above")


def _hooks(patient: Patient) -> list[Finding]:
    if not patient.github.is_app:
        return [one for name in patient.gitops for one in _hooks_of(patient, name)]
    hook = patient.github.find_app_hook()
    if hook is None:
        return [hooks.judge_no_hook("webhooks", patient.hooks)]
    return [hooks.judge_hook("webhooks", hook, patient.github.find_deliveries(None, None), patient.hooks)]


def _hooks_of(patient: Patient, repository: str) -> list[Finding]:
    check, found = f"webhooks {repository}", patient.github.find_hooks(repository)
    if found is None:
        return [hooks.judge_hidden_hooks(check)]
    ours = [hook for hook in found if hooks.is_ours(hook)]
    if not ours:
        return [hooks.judge_no_hook(check, patient.hooks)]
    deliveries = [patient.github.find_deliveries(repository, hook.number) for hook in ours]
    return [hooks.judge_hook(check, hook, one, patient.hooks) for hook, one in zip(ours, deliveries, strict=True)]


# --- repositories ----------------------------------------------------------------------------------------------------


def _repositories(patient: Patient) -> Iterator[Check]:
    section = patient.settings.policies
    if section is not None:
        yield _policies(patient, section)
    for name in patient.repositories:
        if section is None or name != section.repository or name in patient.gitops:
            yield _repository(patient, name)
        branches = sorted({policy.gitops.branch for policy in patient.of(name)})
        for branch in branches:
            policies = [policy for policy in patient.of(name) if policy.gitops.branch == branch]
            yield _rules(patient, name, branch, policies)
            yield _files(patient, name, branch, policies)


def _policies(patient: Patient, section: PoliciesSection) -> Check:
    name, branch = section.repository, section.branch

    def look() -> list[Finding]:
        facts = patient.github.find_repository(name)
        told = judge_policies_repository(name, facts)
        if facts is None:
            return [told]
        return [told, judge_policies_branch(name, branch, patient.forge.look_at(name, branch, ()).rules)]

    return Check(name=f"policies {name}", look=look, remedy="see the credentials and the installation above")


def _repository(patient: Patient, name: str) -> Check:
    is_source = name not in patient.gitops
    judge = judge_source if is_source else judge_repository

    def look() -> list[Finding]:
        facts = patient.github.find_repository(name)
        findings = [judge(name, facts)]
        if facts is not None and not patient.github.is_app:
            login = patient.github.find_user().login
            findings.append(identity.judge_rights(facts, login, is_source=is_source))
        return findings

    kind = "source" if is_source else "repository"
    return Check(name=f"{kind} {name}", look=look, remedy="see the credentials and the installation above")


def _rules(patient: Patient, name: str, branch: str, policies: Sequence[Policy]) -> Check:
    def look() -> list[Finding]:
        seen = patient.forge.look_at(name, branch, ())
        forge = ForgeFacts(rules=seen.rules, own_app_id=seen.own_app_id)
        may_bypass = not seen.rules.takes_pushes and patient.github.may_bypass(name, branch)
        return judge_branch(Branch(repository=name, name=branch, forge=forge, policies=policies, may_bypass=may_bypass))

    remedy = "check gitops.branch in the policies, and the credentials above"
    return Check(name=f"rules {name} {branch}", look=look, remedy=remedy)


def _files(patient: Patient, name: str, branch: str, policies: Sequence[Policy]) -> Check:
    check = f"files {name} {branch}"
    paths = sorted({file for policy in policies for stage in policy.stages for file in stage.files})

    def look() -> list[Finding]:
        chosen = paths[:_MOST_FILES]
        missing = [path for path in chosen if patient.github.read_file(name, branch, path) is None]
        return [systems.judge_files(check, missing, len(chosen), len(paths))]

    return Check(name=check, look=look, remedy="see the repository above")


# --- the other systems -----------------------------------------------------------------------------------------------


def _systems(patient: Patient) -> Iterator[Check]:
    for name, endpoint in patient.prometheus.items():
        yield _prometheus(patient, name, endpoint)
    unanswered = _unanswered(patient)
    if unanswered:
        yield Check(name="data sources", look=lambda: unanswered)
    for name, endpoint in patient.argocd.items():
        yield _argocd(patient, name, endpoint)
    hosts = {_host(policy.image): policy for policy in reversed(patient.policies)}
    for host, policy in sorted(hosts.items()):
        yield _registry(patient, host, policy)
    for policy in patient.policies:
        if signed_rules(policy):
            yield _artifact(patient, policy)


def _unanswered(patient: Patient) -> list[Finding]:
    """Say which services ask a source that is not there, or that gives them nothing; nothing is asked for that."""
    known = patient.settings.sources
    unknown = {name: has for name, has in services_by_source(patient.policies).items() if name not in known}
    unserved: dict[str, set[str]] = defaultdict(set)
    for name, section in known.items():
        asking = [one for one in patient.policies if name in services_by_source([one])]
        unserved[name] = {
            one.service for one in asking if section.tenancy.forced_on(one.service, one.gitops.repository) is None
        }
    return systems.judge_data_sources(unknown, {name: has for name, has in unserved.items() if has})


def _prometheus(patient: Patient, name: str, endpoint: Endpoint) -> Check:
    def look() -> list[Finding]:
        facts = examine_prometheus(endpoint, patient.access[name], patient.clock)
        return systems.judge_prometheus(name, facts)

    return Check(name=endpoint.system, look=look, remedy=f"{systems.source_section(name)}.url: {_REACH}")


def _argocd(patient: Patient, name: str, endpoint: Endpoint) -> Check:
    section = patient.settings.argocd if name == "argocd" else patient.settings.argocd_servers[name]
    stages = [stage for policy in patient.policies for stage in policy.stages]
    targets = [target for stage in stages for target in stage.applications if target.server == name]
    check = systems.argo_check(name)
    remedy = f"check url and token of its section in the settings, and {_REACH}"
    return Check(
        name=check,
        look=lambda: systems.judge_argocd(name, examine_argocd(endpoint, section.projects), targets),
        remedy=remedy,
    )


def _registry(patient: Patient, host: str, policy: Policy) -> Check:
    """Ask for the tag that the first stage of one service has in Git: a registry tells nothing of what is not named."""
    check, first = f"registry {host}", policy.stages[0]

    def look() -> list[Finding]:
        tag = _tag(patient, policy, first)
        if tag is None:
            return [ok(check, f"not asked: {first.edit.file} names no tag of {policy.image} yet")]
        known = {name: endpoint for name, endpoint in patient.registries.items() if name.lower() == host}
        with OciRegistry(known, access=patient.registry_access) as registry:
            return [systems.judge_artifact(check, policy.image, registry.find_artifact(policy.image, tag))]

    remedy = f'check [registries."{host}"] in the settings: url, and a token that may pull {policy.image}'
    return Check(name=check, look=look, remedy=remedy)


def _artifact(patient: Patient, policy: Policy) -> Check:
    """Verify what the first stage of a service runs now."""
    check, first = f"artifact {policy.service}", policy.stages[0]

    def look() -> list[Finding]:
        tag = _tag(patient, policy, first)
        if tag is None:
            return [ok(check, f"not verified: {first.edit.file} names no tag of {policy.image} yet")]
        with OciRegistry(patient.registries, access=patient.registry_access) as registry:
            examiner = ArtifactExaminer(
                registry=registry,
                attestations=patient.attestations,
                settings=patient.settings,
                now=patient.clock.now(),
            )
            return examiner.examine(check, policy, tag)

    return Check(name=check, look=look, remedy="check [sigstore] and the registry in the settings")


def _host(image: str) -> str:
    try:
        return parse_image(image).host
    except Permanent:
        return image  # Its check says what is wrong with it.


def _tag(patient: Patient, policy: Policy, stage: Stage) -> str | None:
    text = patient.github.read_file(policy.gitops.repository, policy.gitops.branch, stage.edit.file)
    try:
        return None if text is None else read_tag(stage.edit, policy.image, text)
    except EditRefused:
        return None


# --- this machine ----------------------------------------------------------------------------------------------------


def _machine(patient: Patient) -> Iterator[Check]:
    state = patient.settings.bot.state
    remedy = "give the bot's user the right to write the ledger and its directory; `liftlock run` brings it up to date"
    yield Check(name="ledger", look=lambda: [_ledger(patient.settings, state)], remedy=remedy)
    yield Check(
        name="state directory",
        look=lambda: systems.judge_state(state, is_writable=may_write_in(state), free=free_bytes(state)),
    )
    by_ssh = patient.settings.git.signing_format == "ssh"
    yield Check(name="git", look=lambda: [systems.judge_git(git_version(), signs_by_ssh=by_ssh)])


def _ledger(settings: Settings, state: Path) -> Finding:
    if settings.ledger.url is None and not (state / "ledger.db").exists():
        if may_write_in(state):
            return ok("ledger", "there is none yet: `liftlock run` makes it")
        return failed("ledger", f"there is none, and {state} may not be written", "give the bot's user the right to")
    return ok("ledger", f"opens and may be written; its tables are at {examine_ledger(settings.ledger_url)}")
