"""Stages of a service from the places that say its tag: by the words of their paths, or as somebody says.

A path is cut into words. Those that environments are called by name a stage; what is left when the service's own words
and those of every repository are taken away is the stage's name. Nothing else makes one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bot.adapters.argocd_json import MalformedItem, text_at
from bot.adapters.argocd_paths import deployed_sources, destination_namespace, why_not_deployed
from bot.adapters.argocd_sources import Counting
from bot.adapters.repository_url import is_repository
from bot.domain.edit import HelmEdit
from bot.draft.places import Deployer, Place, Survey

_RANKS: tuple[frozenset[str], ...] = (
    frozenset({"dev", "development", "sandbox"}),
    frozenset({"test", "testing", "qa", "int", "integration"}),
    frozenset({"uat", "acceptance"}),
    frozenset({"staging", "stage", "stg"}),
    frozenset({"preprod", "preproduction"}),
    frozenset({"canary"}),
    frozenset({"prod", "production", "prd", "live"}),
)
"""What environments are called, in the order in which releases pass them. Words of one set mean the same."""
_EVERYWHERE = frozenset(
    {"values", "kustomization", "yaml", "yml", "json", "app", "apps", "env", "envs", "environments", "overlay"}
    | {"overlays", "deployment", "deployments", "services", "helm", "charts", "application", "applications", "argocd"}
)
_KINDS = ("kustomize", "helm", "argocd-application", "path", "manifest")
"""Of several places of one stage that which is written last counts, so the first of these that there is."""
_LONGEST = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A stage that somebody asks for, with its file where it is said."""

    name: str
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftStage:
    """A stage to be written. `source` is the stage before it; `others` are further ones that might be."""

    name: str
    place: Place
    source: str | None
    others: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Candidates by the name of a stage, in the order of releases; and the places that no stage has.

    More than one candidate is a question, none is one too.
    """

    candidates: Mapping[str, tuple[Place, ...]]
    ranks: Mapping[str, int]
    left: tuple[Place, ...]


def stages_of(found: Survey, service: str, wanted: Sequence[Wanted]) -> Found:
    """Return which places may be which stages: those that are wanted, else those that the paths name."""
    if wanted:
        named = {one.name: _best(_matching(found.places, service, one)) for one in wanted}
        ranks = {one.name: number for number, one in enumerate(wanted)}
    else:
        groups: dict[str, list[Place]] = {}
        for place in found.places:
            name = stage_name(place.edit.file, service)
            if name is not None:
                groups.setdefault(name, []).append(place)
        ranks = {name: _rank(name.split("-")) or 0 for name in groups}
        named = {name: _best(groups[name]) for name in sorted(groups, key=lambda name: (ranks[name], name))}
    taken = [place for places in named.values() for place in places]
    left = tuple(place for place in found.places if place not in taken)
    return Found(candidates=named, ranks=ranks, left=left)


def _matching(places: Sequence[Place], service: str, wanted: Wanted) -> list[Place]:
    if wanted.file is not None:
        return [place for place in places if place.edit.file == wanted.file]
    words = [_meant(word) for word in wanted.name.split("-")]
    fitting = [place for place in places if {*words} <= {_meant(one) for one in _words(place.edit.file, service)}]
    # `production` is not meant by a path of production-eu where there is one of production alone.
    exact = [place for place in fitting if _name_meant(place.edit.file, service) == words]
    return exact or fitting


def _name_meant(file: str, service: str) -> list[str]:
    return [_meant(word) for word in (stage_name(file, service) or "").split("-")]


def stage_name(file: str, service: str) -> str | None:
    """Return the stage that a path names; None where it names none."""
    own = set(_split(service))
    for segment in reversed(file.split("/")):
        words = [word for word in _split(segment) if word not in own and word not in _EVERYWHERE]
        name = "-".join(words)
        if _rank(words) is not None and len(name) <= _LONGEST and name[0].isalnum():
            return name
    return None


def goes_back(stage: DraftStage) -> bool:
    """Say whether a stage comes after one that, by what both are called, releases mostly come to later."""
    before, own = (_rank(_split(name)) for name in (stage.source or "", stage.name))
    return before is not None and own is not None and before > own


def _words(file: str, service: str) -> list[str]:
    own = set(_split(service))
    return [word for segment in file.split("/") for word in _split(segment) if word not in own]


def _split(text: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", text.lower().replace("pre-prod", "preprod")) if word]


def _rank(words: Sequence[str]) -> int | None:
    found = [rank for rank, names in enumerate(_RANKS) for word in words if word in names]
    return max(found, default=None)


def _meant(word: str) -> str:
    """Return one word for all that mean the same environment."""
    return next((min(names) for names in _RANKS if word in names), word)


def _best(places: Sequence[Place]) -> tuple[Place, ...]:
    """Return the places of the kind that counts where a stage has several."""
    kind = next((kind for kind in _KINDS if any(place.edit.kind == kind for place in places)), None)
    return tuple(place for place in places if place.edit.kind == kind)


def chained(chosen: Mapping[str, Place], ranks: Mapping[str, int]) -> tuple[DraftStage, ...]:
    """Return the stages in the order of releases, each from one of those just before it."""
    stages: list[DraftStage] = []
    for name, place in sorted(chosen.items(), key=lambda item: ranks[item[0]]):
        earlier = [one.name for one in stages if ranks[one.name] < ranks[name]]
        nearest = [one for one in earlier if ranks[one] == max(ranks[other] for other in earlier)]
        source = nearest[0] if nearest else None
        stages.append(DraftStage(name=name, place=place, source=source, others=tuple(nearest[1:])))
    return tuple(stages)


# --- what deploys a stage --------------------------------------------------------------------------------------------


def with_deployers(stage: DraftStage, deployers: Sequence[Deployer], *, repository: str, branch: str) -> DraftStage:
    """Return a stage with the Applications that deploy its file, and with the namespace that all of them have."""
    if stage.place.application:
        names = (stage.place.application,)
        return replace(stage, applications=names, namespace=stage.place.namespace)
    file = stage.place.edit.file
    ours = partial(is_repository, repository=repository, forge_host=None)
    counting = Counting(is_ours=ours, branch=branch)
    near = {one.name: _nearness(one, file, counting, stage.place) for one in deployers}
    closest = max((depth for depth in near.values() if depth is not None), default=None)
    chosen = [one for one in deployers if closest is not None and near[one.name] == closest]
    namespaces = {destination_namespace(one.spec) for one in chosen} - {""}
    namespace = namespaces.pop() if len(namespaces) == 1 else ""
    return replace(
        stage,
        applications=tuple(sorted({one.name for one in chosen})),
        namespace=namespace or stage.place.namespace,
    )


def _nearness(one: Deployer, file: str, counting: Counting, place: Place) -> int | None:
    """Return how near an Application's path is to a file that it deploys; None where it does not.

    One that deploys all of a repository, such as an app of apps, is farther away than the one that is meant.
    """
    are_values = isinstance(place.edit, HelmEdit)
    try:
        if why_not_deployed(one.spec, file, counting, are_values=are_values) is not None:
            return None
        paths = [posixpath.normpath(text_at(source, "path") or ".") for source in deployed_sources(one.spec)]
    except MalformedItem:
        return None
    holding = [len(path.split("/")) for path in paths if file.startswith(f"{path}/")]
    # A file that is named as values lies where it will: nothing is nearer.
    return max(holding, default=0 if "." in paths else len(file))
