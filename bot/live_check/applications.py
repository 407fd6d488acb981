"""What Argo CD says: is each application there, and does it deploy the file that the stage's edit changes?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from urllib.parse import urlsplit

from bot.adapters.argocd_index import Index, full_name
from bot.adapters.argocd_json import Json, MalformedItem, object_at
from bot.adapters.argocd_paths import Lack, Mismatch, why_not_deployed
from bot.adapters.argocd_sources import Counting
from bot.adapters.examination import ArgoFacts, examine_argocd
from bot.adapters.repository_url import is_repository
from bot.adapters.scrub import as_sentence
from bot.doctor.systems import argo_check
from bot.domain.argo import DEFAULT_SERVER, SelectedApplications, Target
from bot.domain.edit import ArgoApplicationEdit, HelmEdit
from bot.domain.policy import Policy, Stage
from bot.domain.text import join_words
from bot.live_check.subject import Look, Subject, World
from bot.policy.findings import Finding
from bot.policy.places import value_at
from bot.policy.reading import hint
from bot.ports import Permanent

_RULE = "live-application"
_MOST_MEMBERS = 3


def looks(world: World, subject: Subject) -> Iterator[Look]:
    """Give what is asked of Argo CD about a policy."""
    for number, stage in enumerate(subject.policy.stages):
        path = f"stages[{number}].argocd"
        is_list = value_at(subject.read.tree, path).kind == "list"
        for at, target in enumerate(stage.applications):
            where = f"{path}[{at}]" if is_list else path
            ask = partial(_look, world, subject, stage, target, where)
            yield Look(subject=subject, path=where, ask=ask)


def _look(world: World, subject: Subject, stage: Stage, target: Target, where: str) -> Iterator[Finding]:
    endpoint = world.patient.argocd.get(target.server)
    if endpoint is None:
        known = sorted(world.patient.argocd)
        expected = f"one of the settings: {', '.join(known)}{hint(target.server, known)}"
        yield subject.fault(_RULE, where, f'no Argo CD server "{target.server}"', expected)
        return
    settings = world.patient.settings
    section = settings.argocd if target.server == DEFAULT_SERVER else settings.argocd_servers[target.server]
    server = argo_check(target.server)
    facts = world.reach.ask(server, "", lambda: examine_argocd(endpoint, section.projects, with_specs=True))
    if facts.username is None:
        raise Permanent(server, f"{server} does not know the token, so it tells of no application")
    items = _items(facts, target)
    if not items:
        yield subject.warning(_RULE, where, *_absent(facts, target))
    elif len(items) > 1 and not isinstance(target, SelectedApplications):
        names = join_words([full_name(one) for one in items])
        yield subject.fault(_RULE, where, f"{len(items)} applications of this name: {names}", "namespace/name")
    else:
        yield from _judge(world, subject, stage, items, where)


def _items(facts: ArgoFacts, target: Target) -> Sequence[Json]:
    index = Index(facts.applications)
    return index.selected(target) if isinstance(target, SelectedApplications) else index.named(target)


def _absent(facts: ArgoFacts, target: Target) -> tuple[str, str]:
    """Return what was found and what was expected where there is no such application, which may come yet."""
    if isinstance(target, SelectedApplications):
        return f'no application labelled "{target.shown}"', "one at least, unless it comes later"
    names = [full_name(one) for one in facts.applications]
    if "/" not in target.name:
        names = [name.rpartition("/")[2] for name in names]
    near = hint(target.name, names)
    expected = f"one that {facts.username or 'the token'} may see, unless it comes later{near}"
    return f'no application "{target.shown}"', expected


def _judge(world: World, subject: Subject, stage: Stage, items: Sequence[Json], where: str) -> Iterator[Finding]:
    """Judge each application; many with one and the same trouble are told as one."""
    told: dict[Mismatch | None, list[str]] = {}
    for item in items:
        try:
            told.setdefault(_mismatch(world, subject.policy, stage, item), []).append(full_name(item))
        except MalformedItem as error:
            raise Permanent("Argo CD", f"told an application that cannot be read: {error}") from error
    for mismatch, names in told.items():
        shown = [as_sentence(name, longest=100) for name in names[:_MOST_MEMBERS]]
        more = f" and {len(names) - _MOST_MEMBERS} more" if len(names) > _MOST_MEMBERS else ""
        yield _say(subject, stage, where, f"{', '.join(shown)}{more}", mismatch)


def _mismatch(world: World, policy: Policy, stage: Stage, item: Json) -> Mismatch | None:
    if isinstance(stage.edit, ArgoApplicationEdit):
        # The file is an Application, which another one deploys, or nobody but a person.
        return None
    host = urlsplit(world.patient.settings.github.url).hostname
    ours = partial(is_repository, repository=policy.gitops.repository, forge_host=host)
    counting = Counting(is_ours=ours, branch=policy.gitops.branch)
    are_values = isinstance(stage.edit, HelmEdit)
    return why_not_deployed(object_at(item, "spec"), stage.edit.file, counting, are_values=are_values)


def _say(subject: Subject, stage: Stage, where: str, names: str, mismatch: Mismatch | None) -> Finding:
    file, gitops = stage.edit.file, subject.policy.gitops
    if mismatch is None:
        what = "is there" if isinstance(stage.edit, ArgoApplicationEdit) else f"deploys {file}"
        return subject.note(_RULE, where, f"{names}, which {what}")
    deploys = mismatch.deploys or "nothing"
    if mismatch.lack is Lack.REPOSITORY:
        return subject.fault(_RULE, where, f"{names}, which deploys {deploys}", f"a source of {gitops.repository}")
    if mismatch.lack is Lack.BRANCH:
        found = f"{names}, which follows {deploys}"
        return subject.fault(_RULE, where, found, f"one that follows {gitops.branch}, where tags are changed")
    if mismatch.lack is Lack.VALUES:
        found = f"{names}, which reads the values of {deploys}"
        return subject.warning(_RULE, where, found, f"{file} among them")
    found = f"{names}, which deploys the path {deploys}"
    return subject.warning(_RULE, where, found, f"a path with {file} in it, unless the path takes it from there")
