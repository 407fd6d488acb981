"""`liftlock policy new` on repositories of many shapes: what is found is written, what is not is asked for."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from bot.adapters.clock import SystemClock
from bot.cli import new as command
from bot.cli.app import app
from bot.domain.edit import ArgoApplicationEdit, Edit, HelmEdit, Holds, KustomizeEdit, ManifestEdit, PathEdit
from bot.domain.policy import Policy
from bot.draft import Draft, DraftStage, write_policy
from bot.draft.places import Place
from bot.lab.world import GITOPS, running_lab
from bot.policy import parse_policy, shipped_gate_templates

IMAGE = "ghcr.io/acme/checkout"


def kustomization(tag: str = "1.8.2", image: str = IMAGE, namespace: str = "") -> str:
    return f'namespace: {namespace}\nimages:\n  - name: {image}\n    newTag: "{tag}"\n'


def values(tag: str = "1.8.2", image: str = IMAGE) -> str:
    return f'image:\n  repository: {image}\n  tag: "{tag}"\n'


def manifest(tag: str = "1.8.2", image: str = IMAGE, namespace: str = "shop") -> str:
    return (
        "apiVersion: apps/v1\nkind: Deployment\n"
        f"metadata: {{name: web, namespace: {namespace}}}\n"
        f'spec: {{template: {{spec: {{containers: [{{name: web, image: "{image}:{tag}"}}]}}}}}}\n'
    )


def application(name: str, path: str, *, namespace: str = "", more: str = "") -> str:
    return (
        f"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\n"
        f"spec:\n  destination: {{namespace: '{namespace or name}'}}\n"
        f"  source:\n    repoURL: https://github.com/acme/deploy.git\n    path: {path}\n{more}"
    )


OVERLAYS = {
    "apps/checkout/base/deployment.yaml": manifest("latest"),
    "apps/checkout/staging/kustomization.yaml": kustomization("1.9.0"),
    "apps/checkout/production/kustomization.yaml": kustomization(),
    "argocd/staging.yaml": application("checkout-staging", "apps/checkout/staging"),
    "argocd/production.yaml": application("checkout-production", "apps/checkout/production", namespace="shop"),
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIFTLOCK_CONFIG", raising=False)


def checkout(files: Mapping[str, str], *, origin: str = "git@github.com:acme/deploy.git") -> Path:
    """Make a clone's work tree with these files."""
    folder = Path("deploy")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    if origin:
        subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", origin], check=True)
    return folder


def run(*arguments: str, service: str = "checkout", said: str = "") -> Result:
    result = CliRunner().invoke(app, ["policy", "new", service, "--checkout", "deploy", *arguments], input=said)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def written(service: str = "checkout") -> Policy:
    text = Path(f"policies/{service}.yaml").read_text(encoding="utf-8")
    return parse_policy(text, file=f"{service}.yaml", templates=shipped_gate_templates())


def stages(policy: Policy) -> dict[str, Edit]:
    return {stage.name: stage.edit for stage in policy.stages}


# --- shapes ----------------------------------------------------------------------------------------------------------


def test_kustomize_overlays_become_stages_with_their_applications_and_namespaces() -> None:
    checkout(OVERLAYS)
    result = run()
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        [
            ("staging: apps/checkout/staging/kustomization.yaml (kustomize, 1.9.0 now), deployed by checkout-staging"),
            (
                "production after staging: apps/checkout/production/kustomization.yaml (kustomize, 1.8.2 now), "
                "deployed by checkout-production"
            ),
            "policies/checkout.yaml is written",
            "1 file checked: 0 faults",
            "next: write tests, for `liftlock policy test policies/checkout.yaml`: docs/writing-a-policy.md says how",
            "with settings that name your servers: liftlock policy check --live policies/checkout.yaml",
        ],
    )
    policy = written()
    assert (policy.image, policy.gitops.repository, policy.gitops.branch) == (IMAGE, "acme/deploy", "main")
    assert stages(policy) == {
        "staging": KustomizeEdit(file="apps/checkout/staging/kustomization.yaml"),
        "production": KustomizeEdit(file="apps/checkout/production/kustomization.yaml"),
    }
    assert [stage.source for stage in policy.stages] == [None, "staging"]
    assert [[one.shown for one in stage.applications] for stage in policy.stages] == [
        ["checkout-staging"],
        ["checkout-production"],
    ]
    text = Path("policies/checkout.yaml").read_text(encoding="utf-8")
    assert "metrics: {namespace: checkout-staging}" in text
    assert "metrics: {namespace: shop}" in text


def test_helm_values_with_the_tag_alone_are_found_by_their_charts_values() -> None:
    values_of = "    helm: {{valueFiles: [values.yaml, {0}]}}\n"
    checkout(
        {
            "charts/checkout/values.yaml": values("0.0.0"),
            "charts/checkout/templates/deployment.yaml": "image: {{ .Values.image.repository }}\n",
            "charts/checkout/values-staging.yaml": "image: {tag: 1.9.0}\n",
            "charts/checkout/values-prod.yaml": "image: {tag: 1.8.2}\n",
            "charts/cart/values-prod.yaml": "image: {tag: 7.0.0}\n",
            "argocd/a.yaml": application("a", "charts/checkout", more=values_of.format("values-staging.yaml")),
            "argocd/b.yaml": application("b", "charts/checkout", more=values_of.format("values-prod.yaml")),
        }
    )
    assert run().exit_code == 0
    assert stages(written()) == {
        "staging": HelmEdit(file="charts/checkout/values-staging.yaml", tag="image.tag"),
        "prod": HelmEdit(file="charts/checkout/values-prod.yaml", tag="image.tag"),
    }
    assert [[one.shown for one in stage.applications] for stage in written().stages] == [["a"], ["b"]]


def test_values_of_another_folder_are_found_by_the_application_that_reads_them() -> None:
    more = "    helm: {{valueFiles: [values.yaml, /env/{0}/checkout.yaml]}}\n"
    checkout(
        {
            "charts/checkout/values.yaml": values("0.0.0"),
            "env/staging/checkout.yaml": "image: {tag: 1.9.0}\n",
            "env/production/checkout.yaml": "image: {tag: 1.8.2}\n",
            "argocd/a.yaml": application("a", "charts/checkout", more=more.format("staging")),
            "argocd/b.yaml": application("b", "charts/checkout", more=more.format("production")),
        }
    )
    assert run().exit_code == 0
    assert [(stage.name, stage.edit.file) for stage in written().stages] == [
        ("staging", "env/staging/checkout.yaml"),
        ("production", "env/production/checkout.yaml"),
    ]


def test_plain_manifests_and_values_in_applications_and_json_are_found() -> None:
    images = "    kustomize: {images: ['ghcr.io/acme/checkout:1.8.2']}\n"
    checkout(
        {
            "dev/checkout.yaml": manifest("2.0.0"),
            "qa/params.json": f'{{"web": {{"image": "{IMAGE}:1.9.1"}}}}\n',
            "staging/argo.yaml": application(
                "staging", "x", more=f"    helm: {{valuesObject: {{image: {{repository: {IMAGE}, tag: 1.9.0}}}}}}\n"
            ),
            "production/argo.yaml": application("production", "x", more=images),
        }
    )
    assert run("--argocd", "dev=d,qa=q").exit_code == 0
    assert list(stages(written()).values()) == [
        ManifestEdit(file="dev/checkout.yaml"),
        PathEdit(file="qa/params.json", path="web.image"),
        ArgoApplicationEdit(file="staging/argo.yaml", holds=Holds.HELM, path="image.tag"),
        ArgoApplicationEdit(file="production/argo.yaml", holds=Holds.KUSTOMIZE),
    ]
    assert [stage.source for stage in written().stages] == [None, "dev", "qa", "staging"]


def test_of_several_applications_in_one_file_each_is_named() -> None:
    parameters = (
        "    helm:\n      parameters:\n"
        f"        - {{name: web.repository, value: {IMAGE}}}\n        - {{name: web.tag, value: '1.8.2'}}\n"
    )
    both = [application(name, "x", more=parameters) for name in ("checkout-staging", "checkout-production")]
    checkout({"all.yaml": "---\n".join(both)})
    result = run("--stages", "staging=all.yaml")
    assert result.exit_code == 2
    assert "staging has its tag in several places" in result.output


def test_a_monorepo_gives_each_service_its_own_files() -> None:
    cart = "ghcr.io/acme/cart"
    checkout(
        {
            **OVERLAYS,
            "apps/cart/staging/values.yaml": values("3.1.0", cart),
            "apps/cart/production/values.yaml": values("3.0.0", cart),
            "argocd/cart.yaml": "---\n".join(
                [application(f"cart-{env}", f"apps/cart/{env}") for env in ("staging", "production")]
            ),
            "argocd/root.yaml": application("root", "."),
        }
    )
    assert run().exit_code == 0
    assert run(service="cart").exit_code == 0
    assert [(stage.name, stage.edit.file) for stage in written("cart").stages] == [
        ("staging", "apps/cart/staging/values.yaml"),
        ("production", "apps/cart/production/values.yaml"),
    ]
    assert [[one.shown for one in stage.applications] for stage in written("cart").stages] == [
        ["cart-staging"],
        ["cart-production"],
    ]


def test_regions_come_from_the_stage_before_all_of_them() -> None:
    files = {f"apps/checkout/{name}/kustomization.yaml": kustomization() for name in ("stg", "prod-eu", "prod-us")}
    checkout(files)
    assert run("--argocd", "stg=s,prod-eu=e,prod-us=u").exit_code == 0
    assert [(stage.name, stage.source) for stage in written().stages] == [
        ("stg", None),
        ("prod-eu", "stg"),
        ("prod-us", "stg"),
    ]


def test_a_services_own_words_name_no_stage() -> None:
    files = {
        "apps/prod-api/staging/kustomization.yaml": kustomization(image="ghcr.io/acme/prod-api"),
        "apps/prod-api/production/kustomization.yaml": kustomization(image="ghcr.io/acme/prod-api"),
    }
    checkout(files)
    assert run("--argocd", "staging=s,production=p", service="prod-api").exit_code == 0
    assert list(stages(written("prod-api"))) == ["staging", "production"]


# --- what is said ----------------------------------------------------------------------------------------------------


def test_stages_that_are_named_are_found_by_their_words_and_come_in_their_order() -> None:
    checkout(OVERLAYS)
    backwards = run("--stages", "prod,stage")
    assert backwards.exit_code == 0
    assert "mind: releases go from prod on to stage; --stages names stages in their order\n" in backwards.output
    assert [(stage.name, stage.source, stage.edit.file) for stage in written().stages] == [
        ("prod", None, "apps/checkout/production/kustomization.yaml"),
        ("stage", "prod", "apps/checkout/staging/kustomization.yaml"),
    ]
    assert "mind: " not in run("--stages", "stage,prod", "--force").output


def test_stages_whose_paths_do_not_tell_are_named_with_their_files() -> None:
    checkout({"one/kustomization.yaml": kustomization(), "two/kustomization.yaml": kustomization()})
    refused = run()
    assert refused.exit_code == 2
    assert refused.output == (
        f"liftlock: no path of a file that sets {IMAGE} names a stage: one/kustomization.yaml or "
        "two/kustomization.yaml: say --stages NAME=FILE,…\n"
    )
    said = "staging=one/kustomization.yaml,production=two/kustomization.yaml"
    assert run("--stages", said, "--argocd", "staging=a,production=us:argocd/b").exit_code == 0
    assert [one.shown for stage in written().stages for one in stage.applications] == ["a", "us:argocd/b"]


def test_a_namespace_that_is_said_is_taken() -> None:
    checkout(OVERLAYS)
    assert run("--namespace", "staging=elsewhere").exit_code == 0
    assert "metrics: {namespace: elsewhere}" in Path("policies/checkout.yaml").read_text(encoding="utf-8")


def test_the_schema_is_named_where_it_lies_beside_the_file() -> None:
    checkout(OVERLAYS)
    Path("policies").mkdir()
    Path("policies/policy.schema.json").write_text("{}", encoding="utf-8")
    assert run().exit_code == 0
    first = Path("policies/checkout.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=policy.schema.json"


# --- what is missing -------------------------------------------------------------------------------------------------


def test_a_checkout_that_is_none_is_called_so() -> None:
    told = CliRunner().invoke(app, ["policy", "new", "checkout", "--checkout", "nope", "--yes"])
    assert (told.exit_code, told.output) == (2, "liftlock: --checkout nope: there is no such directory\n")
    Path("plain").mkdir()
    told = CliRunner().invoke(app, ["policy", "new", "checkout", "--checkout", "plain", "--yes"])
    why = "plain is no Git checkout, whose origin would say the repository"
    assert (told.exit_code, told.output) == (2, f"liftlock: {why}: say --repository OWNER/NAME\n")


@pytest.mark.parametrize(
    ("files", "arguments", "sentence"),
    [
        ({"a.yaml": "a: 1\n"}, (), "no file of acme/deploy has an image called checkout: say --image NAME"),
        ({"a.yaml": "a: 1\n"}, ("--image", IMAGE), f"no file sets a tag of {IMAGE}: say --image NAME"),
        (
            {"staging/values.yaml": values("1.10").replace('"', "")},
            (),
            f"no file sets a tag of {IMAGE} that can be read: staging/values.yaml: YAML readers do not agree",
        ),
        (
            {"staging/values.yaml": values(), "b.yaml": manifest(image="quay.io/x/checkout")},
            (),
            f"acme/deploy has several images called checkout: {IMAGE} or quay.io/x/checkout: say --image NAME",
        ),
        (
            {"staging/values.yaml": values(), "production/values.yaml": values()},
            (),
            ("no Application in the repository deploys staging/values.yaml: say --argocd staging=APP,production=APP"),
        ),
        (
            OVERLAYS,
            ("--stages", "staging,canary"),
            f"no file that sets {IMAGE} is plainly of the stage canary: ",
        ),
        (OVERLAYS, ("--stages", "staging=apps/nope.yaml"), "is plainly of the stage staging"),
        (OVERLAYS, ("--stages", "staging=../x"), "--stages '../x': expected a path in the repository"),
        (OVERLAYS, ("--stages", "a,a"), "--stages 'a,a': expected each stage once"),
        (OVERLAYS, ("--stages", "A"), "--stages 'A': expected names of a-z, 0-9 and -"),
        (OVERLAYS, ("--argocd", "canary=x"), "--argocd canary=…: there is no such stage; there are staging and"),
        (OVERLAYS, ("--argocd", "x"), "--argocd 'x': expected STAGE=NAME"),
        (OVERLAYS, ("--argocd", "staging=A b"), "--argocd 'A b': expected [server:][namespace/]name"),
        (OVERLAYS, ("--image", "a:1"), "--image 'a:1': expected an image without tag or digest"),
        (OVERLAYS, ("--repository", "deploy"), "--repository 'deploy': expected a repository as owner/name"),
        (OVERLAYS, ("--branch", "a..b"), "--branch 'a..b': expected a branch name"),
    ],
)
def test_what_is_missing_is_told_with_the_option_that_says_it_and_nothing_is_written(
    files: Mapping[str, str], arguments: tuple[str, ...], sentence: str
) -> None:
    checkout(files)
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.output.startswith("liftlock: ")
    assert sentence in result.output
    assert not Path("policies").exists()


def test_a_set_of_applications_is_named_since_it_hides_the_names() -> None:
    template = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nspec: {}\n"
    checkout({"staging/values.yaml": values(), "argocd/set.yaml": template})
    assert "argocd/set.yaml is an ApplicationSet, which names its own: say --argocd staging=APP" in run().output


def test_a_folder_that_is_no_clone_needs_the_repositorys_name() -> None:
    checkout(OVERLAYS, origin="")
    assert "no origin that is a repository of a forge: say --repository OWNER/NAME" in run().output
    assert run("--repository", "acme/deploy").exit_code == 0


def test_a_folder_of_a_checkout_is_not_its_root() -> None:
    folder = checkout(OVERLAYS).resolve()
    result = run("--checkout", "deploy/apps")
    assert (result.exit_code, result.output) == (
        2,
        f"liftlock: deploy/apps is a folder of a checkout: say --checkout {folder}\n",
    )


def test_what_may_have_been_a_stage_is_told_with_the_reason_and_a_base_without_a_tag_is_not() -> None:
    base = manifest().replace(":1.8.2", "")
    policy = f"apiVersion: liftlock.dev/v1\nimage: {IMAGE}\n"
    qa = values("1.10").replace('"', "")
    checkout({**OVERLAYS, "base/web.yaml": base, "policies/staging.yaml": policy, "qa/values.yaml": qa})
    left = [line for line in run().output.splitlines() if line.startswith("left out")]
    assert left == ["left out: qa/values.yaml: YAML readers do not agree that 1.10 is a text; put it in quotes"]


def test_a_service_and_a_folder_must_be_what_they_are_said_to_be() -> None:
    assert "SERVICE 'Check out': expected a name" in run(service="Check out").output
    assert (
        "--checkout deploy: there is no such directory" in run("--repository", "acme/deploy", "--branch", "main").output
    )


def test_without_a_checkout_and_settings_both_are_named() -> None:
    result = CliRunner().invoke(app, ["policy", "new", "checkout", "--repository", "acme/deploy"])
    assert (result.exit_code, "say --checkout PATH" in result.output) == (2, True)


def test_a_file_that_is_there_is_overwritten_only_with_force() -> None:
    checkout(OVERLAYS)
    Path("policies").mkdir()
    Path("policies/checkout.yaml").write_text("mine\n", encoding="utf-8")
    assert "policies/checkout.yaml is there already; --force overwrites it" in run().output
    assert Path("policies/checkout.yaml").read_text(encoding="utf-8") == "mine\n"
    assert run("--force").exit_code == 0
    assert written().service == "checkout"
    assert [one.name for one in Path("policies").iterdir()] == ["checkout.yaml"]


def test_links_and_files_that_are_no_text_are_passed_over() -> None:
    folder = checkout(OVERLAYS)
    (folder / "apps" / "checkout" / "qa").mkdir()
    (folder / "apps" / "checkout" / "qa" / "kustomization.yaml").symlink_to("../staging/kustomization.yaml")
    (folder / "bytes.yaml").write_bytes(b"\xff\xfe checkout")
    (folder / ".github").mkdir()
    (folder / ".github" / "staging.yaml").write_text(values(), encoding="utf-8")
    assert run().exit_code == 0
    assert list(stages(written())) == ["staging", "production"]


# --- a terminal ------------------------------------------------------------------------------------------------------


@pytest.fixture
def _at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "is_terminal", lambda: True)


@pytest.mark.usefixtures("_at_a_terminal")
def test_at_a_terminal_what_was_found_is_offered_and_one_may_take_it_all() -> None:
    checkout(OVERLAYS)
    result = run(said="\n" * 6)
    assert result.exit_code == 0, result.output
    assert f"Which image does it run? [{IMAGE}]" in result.output
    assert "Which stages, in the order of releases? [staging,production]" in result.output
    assert list(stages(written())) == ["staging", "production"]


@pytest.mark.usefixtures("_at_a_terminal")
def test_at_a_terminal_what_is_missing_is_asked() -> None:
    checkout({"one/values.yaml": values(), "two/values.yaml": values()}, origin="")
    answers = ["acme/deploy", "release", IMAGE, "staging=one/values.yaml,production", "2", "web-staging", "web", "y"]
    result = run(said="\n".join([*answers, ""]))
    assert result.exit_code == 0, result.output
    policy = written()
    assert (policy.gitops.repository, policy.gitops.branch) == ("acme/deploy", "release")
    assert [(one.name, one.edit.file, one.applications[0].shown) for one in policy.stages] == [
        ("staging", "one/values.yaml", "web-staging"),
        ("production", "two/values.yaml", "web"),
    ]


@pytest.mark.usefixtures("_at_a_terminal")
def test_at_a_terminal_nothing_is_written_without_consent_and_yes_asks_nothing() -> None:
    checkout(OVERLAYS)
    result = run(said="\n\n\n\nn\n")
    assert (result.exit_code, "nothing is written" in result.output) == (2, True)
    assert not Path("policies").exists()
    assert run("--yes").exit_code == 0


# --- from the forge --------------------------------------------------------------------------------------------------


def test_without_a_checkout_the_repository_is_read_as_the_settings_say(tmp_path: Path) -> None:
    world = tmp_path / "world"
    world.mkdir()
    with running_lab(world, SystemClock()) as lab:
        lab.add_service("checkout", "1.8.2")
        (world / "policies" / "checkout.yaml").unlink()
        config = lab.write_settings(tmp_path / "liftlock.toml")
        asked = ["policy", "new", "checkout", "--repository", GITOPS, "--config", str(config)]
        result = CliRunner().invoke(
            app, [*asked, "--argocd", "staging=checkout-staging,production=checkout-production"]
        )
        assert result.exit_code == 0, result.output
        text = (world / "policies" / "checkout.yaml").read_text(encoding="utf-8")
        policy = parse_policy(text, file="checkout.yaml", templates=shipped_gate_templates())
        assert stages(policy) == {
            "staging": KustomizeEdit(file="apps/checkout/staging/kustomization.yaml"),
            "production": HelmEdit(file="apps/checkout/production/values.yaml", tag="image.tag"),
        }
        assert not any(one.path.endswith("git-receive-pack") for one in lab.github.exchanges[-5:])


# --- laws ------------------------------------------------------------------------------------------------------------

_SEEN = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"), exclude_characters="/\\")
_PART = st.text(_SEEN, min_size=1, max_size=20).filter(lambda part: part.strip(". ") != "" and part.lower() != ".git")


@given(file=st.lists(_PART, min_size=1, max_size=3).map("/".join).filter(lambda path: not path.startswith(":")))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_path_comes_back_from_the_written_policy_as_it_went_in(file: str) -> None:
    place = Place(edit=HelmEdit(file=file, tag="a.b"), tag="1")
    stage = DraftStage(name="staging", place=place, source=None, applications=("a",), namespace='it"s: {x} # y')
    draft = Draft(service="a", image="x.example/a", repository="a/b", branch="main", stages=[stage])
    policy = parse_policy(write_policy(draft), file="a.yaml", templates=shipped_gate_templates())
    assert stages(policy) == {"staging": HelmEdit(file=file, tag="a.b")}


def test_a_path_that_no_policy_may_have_is_refused_before_anything_is_written() -> None:
    checkout({"staging/a\tb/values.yaml": values()})
    result = run("--argocd", "staging=a")
    assert result.exit_code == 2
    assert "what was found makes no policy: " in result.output
    assert not Path("policies").exists()
