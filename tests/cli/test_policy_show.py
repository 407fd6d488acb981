"""`liftlock policy show` says where a policy stands and what it says, resolved with where each value is from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli.app import app
from bot.policy import PolicyError, parse_policy, shipped_gate_templates
from bot.policy.files import fault_of

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "policies" / "examples"
DEFAULTS = """\
apiVersion: liftlock.dev/v1
image: "ghcr.io/acme/{service}"
gitops: {repository: acme/deploy}
stage:
  edit: {kustomize: "{service}/{stage}/kustomization.yaml"}
  argocd: "{service}-{stage}"
  metrics: {namespace: "{service}-{stage}"}
  window: {for: 30m}
  gates: [{use: argocd-healthy}]
  rollback: {watch: 1h, triggers: [{use: argocd-degraded}]}
"""
CART = """\
apiVersion: liftlock.dev/v1
extends: defaults.yaml
service: cart
stages:
  - name: staging
  - {name: production, from: staging, gates: []}
"""
RESOLVED = """\
# policies/cart.yaml; what it does not say has its default
apiVersion: liftlock.dev/v1                            # cart.yaml:1
service: cart                                          # cart.yaml:3
image: ghcr.io/acme/cart                               # defaults.yaml:2
gitops:
  repository: acme/deploy                              # defaults.yaml:3
stages:
  - name: staging                                      # cart.yaml:5
    edit:
      kustomize: cart/staging/kustomization.yaml       # defaults.yaml:5
    argocd: cart-staging                               # defaults.yaml:6
    metrics:
      namespace: cart-staging                          # defaults.yaml:7
    window:
      for: 30m                                         # defaults.yaml:8
    gates:
      - use: argocd-healthy                            # defaults.yaml:9
  - name: production                                   # cart.yaml:6
    from: staging                                      # cart.yaml:6
    gates: []                                          # cart.yaml:6
    edit:
      kustomize: cart/production/kustomization.yaml    # defaults.yaml:5
    argocd: cart-production                            # defaults.yaml:6
    metrics:
      namespace: cart-production                       # defaults.yaml:7
    window:
      for: 30m                                         # defaults.yaml:8
    rollback:
      watch: 1h                                        # defaults.yaml:10
      triggers:
        - use: argocd-degraded                         # defaults.yaml:10
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIFTLOCK_CONFIG", raising=False)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "cart.yaml").write_text(CART)
    (tmp_path / "policies" / "defaults.yaml").write_text(DEFAULTS)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["policy", "show", *arguments])


def test_an_outline_says_where_it_stands_and_what_moves_how() -> None:
    result = run("cart")
    assert (result.exit_code, result.output.splitlines()) == (
        0,
        [
            "cart: policies/cart.yaml, extends defaults.yaml",
            "  staging: a first stage; window 30m; gates argocd-healthy",
            "  production: from staging; merge human; rollback within 1h by argocd-degraded",
        ],
    )


def test_an_outline_names_what_must_be_proven() -> None:
    rule = "artifact: {signer: {key: release}, require: [{use: signature}]}"
    Path("policies/cart.yaml").write_text(CART.replace("from: staging", f"from: staging, {rule}"))
    assert "; artifact artifact-signature; " in run("cart").output


JOINED = """\
apiVersion: liftlock.dev/v1
extends: defaults.yaml
service: cart
stages:
  - name: eu
  - name: us
  - {name: production, from: FROM}
"""


@pytest.mark.parametrize(
    ("written", "told", "as_json"),
    [
        ("[eu, us]", "from eu and us", (["eu", "us"], "all")),
        ("{all: [us, eu]}", "from us and eu", (["us", "eu"], "all")),
        ("{any: [eu, us]}", "from any of eu and us", (["eu", "us"], "any")),
        ("us", "from us", (["us"], None)),
    ],
)
def test_an_outline_names_all_stages_that_a_release_comes_from(
    written: str, told: str, as_json: tuple[list[str], str | None]
) -> None:
    Path("policies/cart.yaml").write_text(JOINED.replace("FROM", written))
    assert run("cart").output.splitlines()[3].startswith(f"  production: {told}; ")
    stage = json.loads(run("cart", "--format", "json").output)["stages"][2]
    assert (stage["from"], stage["join"]) == as_json


def test_an_outline_of_waves_names_all_regions_of_the_wave_before() -> None:
    said = run("search", str(EXAMPLES)).output.splitlines()
    asia = next(line for line in said if line.startswith("  production-ap-south-1: "))
    assert "from production-us-east-1 and production-sa-east-1; " in asia
    assert "; merge auto; pause 30m; " in asia
    assert asia.endswith(", also out of production-eu-west-1, production-us-east-1 and production-sa-east-1")


DECIDING = """\
apiVersion: liftlock.dev/v1
extends: defaults.yaml
service: cart
calendar: {timezone: Europe/Berlin, allow: [{days: [mon-fri], from: "09:00", to: "17:00"}]}
stages:
  - name: staging
    gates: [{use: argocd-healthy}, {use: argocd-healthy, name: again, mode: shadow}]
  - name: production
    from: staging
    with: [{edit: {helm: {file: a/values.yaml, tag: image.tag}}}]
    calendar: {timezone: UTC, freeze: [{days: [sat], from: "00:00", to: "24:00"}]}
    promote: {approvals: {need: 2}, pause: 30m}
    rollback:
      also: [staging]
      triggers: [{use: argocd-degraded}, {use: argocd-sync-failed, mode: shadow}]
  - {name: archive, from: production, promote: {by: commit}, window: {for: 2h}}
"""
DECIDING_OUTLINE = """\
cart: policies/cart.yaml, extends defaults.yaml
  every promotion: calendar (Europe/Berlin)
  staging: a first stage; window 30m; gates argocd-healthy, again (shadow)
  production: from staging; 1 value more is set with it; window 30m; gates argocd-healthy; merge human; 2 approvals; \
pause 30m; calendar (UTC); rollback within 1h by argocd-degraded, argocd-sync-failed (shadow), also out of staging
  archive: from production; by commit; rollback within 1h by argocd-degraded
"""


def test_an_outline_leaves_out_a_window_and_gates_that_decide_nothing() -> None:
    Path("policies/cart.yaml").write_text(CART.replace(", gates: []", ""))
    assert run("cart").output.splitlines()[-1] == (
        "  production: from staging; merge human; rollback within 1h by argocd-degraded"
    )
    staging, production = json.loads(run("cart", "--format", "json").output)["stages"]
    assert (staging["window"], staging["gates"]) == ("30m", ["argocd-healthy"])
    assert (production["window"], production["gates"]) == (None, [])


def test_an_outline_leaves_out_nothing_that_decides() -> None:
    Path("policies/cart.yaml").write_text(DECIDING)
    assert run("cart").output == DECIDING_OUTLINE
    outline = json.loads(run("cart", "--format", "json").output)
    staging, production, archive = outline["stages"]
    assert (outline["calendar"], staging["calendar"], production["calendar"]) == (True, False, True)
    assert (staging["merge"], staging["by"], staging["from"]) == (None, None, [])
    assert (staging["gates"], staging["shadow"]) == (["argocd-healthy"], ["gates again"])
    assert (production["approvals"], production["pause"], production["with"]) == (2, "30m", 1)
    assert (production["triggers"], production["also"]) == (["argocd-degraded"], ["staging"])
    assert production["shadow"] == ["triggers argocd-sync-failed"]
    assert (archive["by"], archive["merge"]) == ("commit", None)


def test_an_outline_says_that_releases_come_from_the_registry() -> None:
    taken = "from: registry, releases: {semver: '*'}"
    Path("policies/cart.yaml").write_text(CART.replace("- name: staging", f"- {{name: staging, {taken}}}"))
    assert run("cart").output.splitlines()[1].startswith("  staging: from the registry; ")


def test_resolved_each_value_has_the_file_and_line_that_it_is_from() -> None:
    result = run("cart", "--resolved")
    assert (result.exit_code, result.output.replace(" ", "")) == (0, RESOLVED.replace(" ", ""))


@pytest.mark.parametrize("service", sorted(path.stem for path in EXAMPLES.glob("*.yaml") if ".test" not in path.name))
def test_what_is_shown_of_an_example_is_the_policy(service: str) -> None:
    templates = shipped_gate_templates()
    shown = parse_policy(run(service, str(EXAMPLES), "--resolved").output, file="a.yaml", templates=templates)
    own = parse_policy((EXAMPLES / f"{service}.yaml").read_text("utf-8"), file="a.yaml", templates=templates)
    # What is resolved has the regions as stages of their own, and no waves that they are of.
    assert shown.stages == tuple(replace(stage, region_of=None) for stage in own.stages)
    assert (shown.image, shown.gitops) == (own.image, own.gitops)


def test_as_json_an_outline_and_all_of_it_are_objects() -> None:
    outline = json.loads(run("cart", "--format", "json").output)
    assert (outline["file"], outline["extends"], len(outline["version"])) == (
        "policies/cart.yaml", "defaults.yaml", 64,
    )  # fmt: skip
    assert outline["stages"][1] == {
        "name": "production", "from": ["staging"], "join": None, "window": None, "gates": [], "artifact": [],
        "shadow": [], "with": 0, "by": "pull-request", "merge": "human", "approvals": 0, "pause": None,
        "calendar": False, "watch": "1h", "triggers": ["argocd-degraded"], "also": [],
    }  # fmt: skip
    whole = json.loads(run("cart", "--resolved", "--format", "json").output)
    assert whole["policy"]["stages"][0]["gates"] == [{"use": "argocd-healthy"}]
    assert whole["origins"]["stages[1].gates"] == "cart.yaml:6:46"
    assert whole["origins"]["stages[1].rollback.watch"] == "defaults.yaml:10:21"
    assert json.loads(run("checkout", str(EXAMPLES), "--format", "json").output)["extends"] is None


def test_a_broken_policy_is_answered_with_its_faults() -> None:
    Path("policies/defaults.yaml").write_text(DEFAULTS.replace("for: 30m", "for: long"))
    result = run("cart", "--resolved")
    assert (result.exit_code, result.output.splitlines()) == (
        1,
        ['policies/defaults.yaml:8:17: stage.window.for: found "long", expected a duration such as 30s, 5m or 1h30m'],
    )


def test_a_policy_that_is_no_yaml_is_not_denied_but_told_with_its_fault() -> None:
    Path("policies/cart.yaml").write_text(CART.replace("stages:", " stages: ["))
    result = run("cart")
    assert result.exit_code == 1
    assert result.output.startswith("policies/cart.yaml:4:")


def test_a_directory_that_cannot_be_read_is_told_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(directory: Path, *, expected: str) -> None:
        raise PolicyError([fault_of(str(directory), "Permission denied", expected)])

    monkeypatch.setattr("bot.policy.showing.yaml_files", refuse)
    result = run("cart")
    told = "policies: found Permission denied, expected a directory of policies\n"
    assert (result.exit_code, result.output) == (1, told)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["shop"], "liftlock: policies: no policy describes a service 'shop'\n"),
        (["crat"], "liftlock: policies: no policy describes a service 'crat'; did you mean \"cart\"?\n"),
        (["cart", "nowhere"], "liftlock: nowhere: there is no such directory\n"),
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.output) == (2, sentence)


def test_the_schema_of_defaults_is_printed() -> None:
    result = CliRunner().invoke(app, ["policy", "schema", "--defaults"])
    assert json.loads(result.output)["title"] == "Liftlock defaults"
