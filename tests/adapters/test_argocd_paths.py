"""Whether an application deploys a file is read off its sources: repository, branch, path, and the values it names."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bot.adapters.argocd_json import MalformedItem
from bot.adapters.argocd_paths import Lack, Mismatch, destination_namespace, why_not_deployed
from bot.adapters.argocd_sources import Counting

OURS, THEIRS = "https://github.com/acme/deploy", "https://charts.acme.example"
VALUES = "apps/checkout/production/values.yaml"
COUNTING = Counting(is_ours=lambda url: url == OURS, branch="main")


def source(**more: object) -> dict[str, object]:
    return {"repoURL": OURS, "path": "apps/checkout/production", **more}


def lacks(*sources: Mapping[str, object], file: str = VALUES, are_values: bool = False) -> Lack | None:
    found = why_not_deployed({"sources": list(sources)}, file, COUNTING, are_values=are_values)
    return None if found is None else found.lack


# the source                                        | it deploys the file
# --------------------------------------------------|---------------------
@pytest.mark.parametrize(
    ("one", "lack"),
    [
        (source(), None),
        (source(targetRevision="main"), None),
        (source(targetRevision="HEAD"), None),
        (source(targetRevision="refs/heads/main"), None),
        (source(targetRevision="v1"), Lack.BRANCH),
        (source(repoURL="https://github.com/acme/other"), Lack.REPOSITORY),
        (source(chart="web"), Lack.REPOSITORY),
        (source(path="apps/checkout"), None),
        (source(path="/apps/checkout/"), None),
        (source(path="."), None),
        (source(path=""), None),
        (source(path="apps/checkout/prod"), Lack.PATH),
        (source(path="apps/checkout/production-eu"), Lack.PATH),
        (source(path="charts/web", helm={"valueFiles": ["../../apps/checkout/production/values.yaml"]}), None),
        (source(path="charts/web", helm={"valueFiles": ["/apps/checkout/*/values.yaml"]}), None),
        (source(path="charts/web", helm={"valueFiles": ["/apps/*/values.yaml"]}), Lack.PATH),
        (source(path="charts/web", helm={"valueFiles": ["https://x.example/values.yaml"]}), Lack.PATH),
    ],
)
def test_one_source(one: dict[str, object], lack: Lack | None) -> None:
    assert lacks(one) is lack
    assert lacks({"repoURL": THEIRS, "chart": "redis"}, one) is lack


def test_values_of_a_chart_from_elsewhere_are_found_by_their_ref() -> None:
    chart = {"repoURL": THEIRS, "chart": "web", "helm": {"valueFiles": [f"$values/{VALUES}"]}}
    assert lacks(chart, {"repoURL": OURS, "ref": "values"}) is None
    assert lacks(chart, {"repoURL": OURS, "ref": "others"}) is Lack.PATH
    assert lacks(chart, {"repoURL": OURS, "ref": "values", "targetRevision": "v1"}) is Lack.BRANCH


def test_values_in_a_charts_folder_are_read_only_where_they_are_named() -> None:
    chart = source(path="apps/checkout", helm={"valueFiles": ["staging/values.yaml"]})
    assert lacks(chart, are_values=True) is Lack.VALUES
    assert lacks(chart) is None
    assert lacks(chart, file="apps/checkout/values.yaml", are_values=True) is None
    assert lacks(source(path="apps/checkout"), are_values=True) is None


def test_a_hydrated_application_deploys_its_dry_source() -> None:
    spec = {"sourceHydrator": {"drySource": source(), "syncSource": {"targetBranch": "env/production"}}}
    assert why_not_deployed(spec, VALUES, COUNTING) is None
    assert why_not_deployed({"source": source(), **spec}, "apps/x.yaml", COUNTING) is not None


def test_what_it_deploys_instead_is_told_without_passwords() -> None:
    found = why_not_deployed({"source": source(repoURL="https://me:secret@git.example/a/b")}, VALUES, COUNTING)
    assert found == Mismatch(lack=Lack.REPOSITORY, deploys="https://git.example/a/b")
    assert why_not_deployed({}, VALUES, COUNTING) == Mismatch(lack=Lack.REPOSITORY, deploys="")


def test_many_paths_are_cut() -> None:
    spec = {"sources": [source(path=f"apps/{n}") for n in range(5)]}
    assert why_not_deployed(spec, VALUES, COUNTING) == Mismatch(
        lack=Lack.PATH, deploys="apps/0, apps/1, apps/2 and 2 more"
    )


def test_a_spec_that_is_none_is_an_error() -> None:
    with pytest.raises(MalformedItem):
        why_not_deployed({"source": source(helm={"valueFiles": [1]})}, VALUES, COUNTING)


def test_the_namespace_is_where_it_deploys_to() -> None:
    assert destination_namespace({"destination": {"namespace": "checkout"}}) == "checkout"
    assert destination_namespace({}) == ""
