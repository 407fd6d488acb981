"""`liftlock policy check --live` on the lab: each class of finding of GitHub and Argo CD at its place, in its words.

Nothing is ever written: the exchanges that the lab recorded are looked through at the end of each test.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from typer.testing import CliRunner

from bot.adapters.github.credentials import PERMISSIONS
from bot.cli.app import app
from bot.lab.argocd import ApplicationSpec
from bot.lab.github.revising import label_named
from bot.lab.world import GITOPS, image_of
from tests.adapters.backends import needs_prometheus
from tests.cli.live_world import POLICY, UNBOUND, Live, with_artifact
from tests.cli.test_doctor import APP, as_app
from tests.contract.conformance import GITHUB

pytestmark = [needs_prometheus, pytest.mark.prometheus]


# --- all in order ----------------------------------------------------------------------------------------------------


def test_a_policy_that_fits_is_told_with_what_was_seen_and_ends_with_0(live: Live) -> None:
    asked = live.ask()
    assert asked.lines == []
    assert asked.notes == [
        "8:23: note: stages[0].edit.kustomize: found the tag 1.8.2",
        (
            "9:13: note: stages[0].argocd: found argocd/checkout-staging, "
            "which deploys apps/checkout/staging/kustomization.yaml"
        ),
        "13:9: note: stages[0].gates[0]: found an answer for http-errors: counted 0 series and total 1 series",
        "14:9: note: stages[0].gates[1]: found an answer for http-latency: counted 1 series and total 1 series",
        "18:25: note: stages[1].edit.helm.file: found the tag 1.8.2",
        (
            "19:13: note: stages[1].argocd: found argocd/checkout-production, "
            "which deploys apps/checkout/production/values.yaml"
        ),
        (
            "24:18: note: stages[1].rollback.triggers[0]: found an answer for http-errors: "
            "counted 1 series and total 1 series"
        ),
    ]
    assert (asked.sums, asked.code) == ("1 file checked: 0 faults, 1 warning", 0)


def test_a_branch_that_does_not_require_the_check_is_a_warning_at_the_promotion(live: Live) -> None:
    assert [line for line in live.run().output.splitlines() if UNBOUND in line] == [
        (
            f"{live.policy}:16:5: warning: stages[1].promote: found that main does not require liftlock/production: a "
            "person can merge an unhealthy release by mistake, expected this: require it: docs/github.md, “Require the "
            "check, from this App”"
        )
    ]


def test_what_is_asked_of_github_is_as_its_api_is_described(live: Live) -> None:
    before = len(live.lab.github.exchanges)
    live.ask(
        ("from: staging\n", "from: staging\n    promote: {labels: [release]}\n"),
        ("production/values.yaml", "production/valeus.yaml"),
    )
    live.ask(("branch: main", "branch: mian"))
    asked = [one for one in live.lab.github.exchanges[before:] if not one.path.endswith("/graphql")]
    paths = {one.path.rpartition("/")[2] for one in asked}
    assert {"labels", "branches", "production"} <= paths
    assert [fault for one in asked for fault in GITHUB.violations(one)] == []


def test_without_live_no_server_is_asked(live: Live) -> None:
    before = len(live.lab.github.exchanges)
    result = CliRunner().invoke(app, ["policy", "check", str(live.policy)])
    assert (result.exit_code, result.output) == (0, "1 file checked: 0 faults\n")
    assert len(live.lab.github.exchanges) == before


def test_a_policy_with_faults_of_its_own_is_told_and_the_others_are_asked_about(live: Live) -> None:
    broken = live.policy.parent / "broken.yaml"
    broken.write_text("service: x\n", encoding="utf-8")
    result = live.run()
    assert result.exit_code == 1
    assert f"{broken}:1:1: image: found nothing" in result.output
    assert "found the tag 1.8.2" in result.output


def test_each_thing_is_asked_once_however_many_policies_want_to_know_it(live: Live) -> None:
    for number in range(5):
        text = POLICY.replace("service: checkout", f"service: checkout-{number}")
        (live.policy.parent / f"checkout-{number}.yaml").write_text(text, encoding="utf-8")
    before = len(live.lab.github.exchanges), len(live.lab.argocd_wire.exchanges)
    assert live.run().output.splitlines()[-1].startswith("6 files checked: 0 faults")
    paths = [one.path for one in live.lab.github.exchanges[before[0] :] if not one.path.endswith("/graphql")]
    assert len(paths) == len(set(paths))
    lists = [one for one in live.lab.argocd_wire.exchanges[before[1] :] if one.path == "/api/v1/applications"]
    assert len(lists) == 1


def test_settings_that_are_missing_are_wrong_use(tmp_path: Path) -> None:
    policy = tmp_path / "checkout.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    arguments = ["policy", "check", "--live", "--config", str(tmp_path / "none.toml"), str(policy)]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, "there is no such settings file" in result.output) == (2, True)


# --- the repository --------------------------------------------------------------------------------------------------


def test_a_repository_that_is_not_there_is_a_fault_and_nothing_else_is_said_of_its_files(live: Live) -> None:
    asked = live.ask(("acme/deploy,", "acme/deplo,"))
    assert asked.code == 1
    assert asked.lines[0] == (
        "5:22: gitops.repository: found that GitHub knows no such repository, or does not show it to the bot, "
        "expected this: check the name in the policies, and that the App or the token reaches it"
    )
    assert not any("edit" in line for line in (*asked.lines, *asked.notes))


def test_a_branch_that_is_not_there_is_a_fault_with_the_nearest_one(live: Live) -> None:
    asked = live.ask(("branch: main", "branch: mian"))
    assert asked.code == 1
    assert (
        '5:43: gitops.branch: found no branch "mian", expected a branch of acme/deploy; did you mean "main"?'
    ) in asked.lines


def test_a_source_that_is_not_there_is_a_warning(live: Live) -> None:
    assert live.ask(("source: acme/checkout", "source: acme/chekout")).lines == [
        (
            "4:9: warning: source: found that GitHub does not show it to the bot: it is not told of its releases, "
            "expected this: check source in the policies, and that the App or the token reaches it"
        )
    ]


def test_a_token_that_may_only_read_is_a_fault(live: Live) -> None:
    live.lab.github.add_user("liftlock", {GITOPS: "read"})
    assert live.ask().lines == [
        (
            "5:22: gitops.repository: found that the role of liftlock is read, expected this: give liftlock the role "
            "Write in acme/deploy: the bot has to push branches and open pull requests there"
        )
    ]


def test_a_permission_that_the_policy_needs_and_the_app_lacks_is_told_where_it_is_needed(live: Live) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    as_app(live.lab, live.settings, key, {**PERMISSIONS, "checks": "read"})
    asked = live.ask(("from: staging\n", "from: staging\n    promote: {approvers: ['@acme/release']}\n"))
    url = re.search(r"accepted at (\S+)", asked.lines[0])
    assert url is not None
    where = f"granted in the App's settings (Permissions & events), and accepted at {url[1]}"
    assert [line for line in asked.lines if "App" in line and "docs" not in line] == [
        f"5:22: gitops.repository: found an App without checks: write, expected them {where}",
        f"18:26: stages[1].promote.approvers: found an App without members: read, expected them {where}",
    ]


def test_an_app_that_is_not_installed_is_a_fault(live: Live) -> None:
    as_app(live.lab, live.settings, rsa.generate_private_key(public_exponent=65537, key_size=2048))
    live.lab.github.world.apps[APP].repositories = ("acme/checkout",)
    asked = live.ask()
    assert asked.code == 1
    assert "found that app-7 is not installed on acme/deploy" in asked.lines[0]


def test_rules_that_are_at_odds_with_the_policy_are_told_at_its_fields(live: Live) -> None:
    asked = live.ask(("from: staging\n", "from: staging\n    promote: {auto_merge: bound, labels: [Release]}\n"))
    assert asked.code == 1
    assert asked.lines == [
        (
            "18:27: stages[1].promote.auto_merge: found that auto_merge: bound of checkout/production: the repository "
            "does not allow auto-merge, expected this: allow auto-merge in the repository's settings, and bind the "
            "check (docs/github.md, “Require the check, from this App”); or never"
        ),
        (
            '18:43: warning: stages[1].promote.labels[0]: found no label "Release", expected a label of acme/deploy, '
            "or that GitHub makes it with the first pull request"
        ),
    ]


def test_a_label_that_is_there_in_other_case_is_right_and_a_near_one_is_suggested(live: Live) -> None:
    with live.lab.github.world.lock:
        label_named(live.lab.github.world, live.lab.github.world.repository(GITOPS), "releases")
    labels = "    promote: {labels: [Releases, relases]}\n"
    asked = live.ask(("from: staging\n", f"from: staging\n{labels}"))
    assert [line for line in asked.lines if "label" in line] == [
        (
            '18:34: warning: stages[1].promote.labels[1]: found no label "relases", expected a label of acme/deploy, '
            'or that GitHub makes it with the first pull request; did you mean "releases"?'
        )
    ]


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_a_fault_with_the_nearest_one(live: Live) -> None:
    asked = live.ask(("production/values.yaml", "production/valeus.yaml"))
    assert asked.code == 1
    assert asked.lines[0] == (
        '18:25: stages[1].edit.helm.file: found no file "apps/checkout/production/valeus.yaml", '
        'expected a file of acme/deploy on main; did you mean "values.yaml"?'
    )


def test_a_value_that_is_not_there_or_not_certain_is_a_fault(live: Live) -> None:
    asked = live.ask(("tag: image.tag", "tag: image.tga"))
    assert asked.lines == [
        (
            "18:25: stages[1].edit.helm.file: found in apps/checkout/production/values.yaml, line 4: "
            "image has no 'tga', expected one value that says the tag, for certain"
        )
    ]
    text = live.lab.text("checkout", "production").replace('"1.8.2"', "1.10")
    live.commit("apps/checkout/production/values.yaml", text)
    assert "YAML readers do not agree that 1.10 is a text" in live.ask().lines[0]


def test_a_value_that_a_promotion_would_add_is_a_warning(live: Live) -> None:
    live.commit("apps/checkout/staging/kustomization.yaml", "images: []\n")
    kustomize = "{file: apps/checkout/staging/kustomization.yaml, create: true}"
    asked = live.ask(("kustomize: apps/checkout/staging/kustomization.yaml", f"kustomize: {kustomize}"))
    assert asked.lines == [
        (
            "8:30: warning: stages[0].edit.kustomize.file: found no tag is set in this file yet, "
            "expected a tag in it before the first promotion"
        )
    ]


WITH = """\
    with:
      - {image: ghcr.io/acme/worker, edit: {kustomize: apps/worker/kustomization.yaml}}
      - {edit: {helm: {file: apps/checkout/flags.yaml, tag: version}}}
"""


def test_each_value_that_moves_along_is_looked_for_too(live: Live) -> None:
    along = ("    argocd: checkout-production\n", f"{WITH}    argocd: checkout-production\n")
    asked = live.ask(along)
    assert asked.lines[:2] == [
        (
            '20:56: stages[1].with[0].edit.kustomize: found no file "apps/worker/kustomization.yaml", '
            "expected a file of acme/deploy on main"
        ),
        (
            '21:30: stages[1].with[1].edit.helm.file: found no file "apps/checkout/flags.yaml", '
            "expected a file of acme/deploy on main; apps/checkout has production and staging"
        ),
    ]
    live.commit("apps/worker/kustomization.yaml", "images: [{name: ghcr.io/acme/worker, newTag: 1.8.2}]\n")
    live.commit("apps/checkout/flags.yaml", "version: 1.7.9\n")
    asked = live.ask(along)
    assert asked.lines == [
        (
            "21:30: warning: stages[1].with[1].edit.helm.file: found the tag 1.7.9, expected the tag 1.8.2 that edit "
            "says: until they are the same, nothing moves into the stage or out of it"
        )
    ]
    assert "20:56: note: stages[1].with[0].edit.kustomize: found the tag 1.8.2" in asked.notes


def test_a_folder_is_no_file(live: Live) -> None:
    asked = live.ask(("apps/checkout/staging/kustomization.yaml", "apps/checkout/staging"))
    assert "found a folder, an empty file or more than 1 MB" in asked.lines[0]


# --- applications ----------------------------------------------------------------------------------------------------


def test_an_application_that_is_not_there_is_a_warning_with_the_nearest_one(live: Live) -> None:
    asked = live.ask(("argocd: checkout-production", "argocd: checkout-prodction"))
    assert (asked.lines, asked.code) == (
        [
            (
                '19:13: warning: stages[1].argocd: found no application "checkout-prodction", expected one that '
                'liftlock may see, unless it comes later; did you mean "checkout-production"?'
            )
        ],
        0,
    )


def test_an_application_of_a_namespace_is_suggested_with_it(live: Live) -> None:
    asked = live.ask(("argocd: checkout-production", "argocd: [argcd/checkout-production]"))
    assert asked.lines == [
        (
            '19:14: warning: stages[1].argocd[0]: found no application "argcd/checkout-production", expected one that '
            'liftlock may see, unless it comes later; did you mean "argocd/checkout-production"?'
        )
    ]


def test_a_server_that_the_settings_do_not_name_is_a_fault(live: Live) -> None:
    asked = live.ask(("argocd: checkout-production", "argocd: us:checkout-production"))
    assert asked.lines == [
        '19:13: stages[1].argocd: found no Argo CD server "us", expected one of the settings: argocd'
    ]


def test_a_selector_that_finds_nothing_is_a_warning(live: Live) -> None:
    asked = live.ask(("argocd: checkout-production", "argocd: {selector: app=checkout}"))
    assert asked.lines == [
        (
            '19:13: warning: stages[1].argocd: found no application labelled "app=checkout", '
            "expected one at least, unless it comes later"
        )
    ]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"path": "apps/other"},
            (
                "warning: stages[1].argocd: found argocd/eu, which deploys the path apps/other, expected a path with "
                "apps/checkout/production/values.yaml in it, unless the path takes it from there"
            ),
        ),
        (
            {"target_revision": "v1"},
            (
                "stages[1].argocd: found argocd/eu, which follows v1, expected one that follows main, "
                "where tags are changed"
            ),
        ),
        (
            {"repo_url": "https://git.acme.example/acme/other.git"},
            (
                "stages[1].argocd: found argocd/eu, which deploys https://git.acme.example/acme/other.git, "
                "expected a source of acme/deploy"
            ),
        ),
    ],
    ids=["another path", "another branch", "another repository"],
)
def test_an_application_that_does_not_deploy_the_file_is_told(live: Live, spec: dict[str, str], said: str) -> None:
    usual = {"repo_url": f"{live.lab.github.url}/{GITOPS}.git", "path": "apps/checkout/production"}
    live.lab.argocd.add(
        ApplicationSpec(name="eu", namespace="eu", image=image_of("checkout"), **{**usual, **spec})  # type: ignore[arg-type]  # each field by its name
    )
    assert live.ask(("argocd: checkout-production", "argocd: eu")).lines == [f"19:13: {said}"]


def test_of_several_applications_those_with_the_same_trouble_are_told_together(live: Live) -> None:
    url, image = f"{live.lab.github.url}/{GITOPS}.git", image_of("checkout")
    paths = {"eu": "apps/checkout/production", "us": "apps/us", "asia": "apps/us"}
    for name, path in paths.items():
        live.lab.argocd.add(ApplicationSpec(name=name, namespace=name, path=path, repo_url=url, image=image))
        live.lab.argocd.relabel(name, {"app": "checkout"})
    asked = live.ask(("argocd: checkout-production", "argocd: {selector: app=checkout}"))
    assert [line.partition(", expected")[0] for line in asked.lines] == [
        "19:13: warning: stages[1].argocd: found argocd/asia, argocd/us, which deploys the path apps/us"
    ]
    assert (
        "19:13: note: stages[1].argocd: found argocd/eu, which deploys apps/checkout/production/values.yaml"
    ) in asked.notes


# --- no answer -------------------------------------------------------------------------------------------------------


def test_a_server_that_is_down_says_nothing_about_the_policy_and_ends_with_5(live: Live) -> None:
    settings = live.settings.read_text(encoding="utf-8")
    live.settings.write_text(re.sub(r'(\[prometheus\]\nurl = )"[^"]*"', r'\1"http://127.0.0.1:9"', settings), "utf-8")
    asked = live.ask()
    assert asked.code == 5
    assert asked.lines == [
        (
            "11:19: not asked: stages[0].window.for: found no answer: Prometheus at http://127.0.0.1:9 could not be "
            "reached (ConnectionError), expected one: 6 questions about this policy stayed open"
        )
    ]
    assert asked.sums == "1 file checked: 0 faults, 1 warning, 1 answer missing"


def test_faults_are_told_beside_what_was_not_asked_and_end_with_1(live: Live) -> None:
    live.change(f'url = "{live.lab.argocd_url}"', 'url = "http://127.0.0.1:9"')
    asked = live.ask(("tag: image.tag", "tag: image.tga"))
    assert asked.code == 1
    assert [": not asked: " in line for line in asked.lines] == [True, False]


def test_a_token_that_argo_cd_does_not_know_is_no_fault_of_the_policy(live: Live) -> None:
    (live.lab.directory / "secrets" / "argocd").write_text("wrong", encoding="utf-8")
    asked = live.ask()
    assert asked.code == 5
    assert "9:13: not asked: stages[0].argocd: found no answer: Argo CD" in asked.lines[0]


def test_a_registry_that_fails_is_no_fault_of_the_policy(live: Live) -> None:
    live.change(f'url = "{live.lab.registry_url}"', 'url = "http://127.0.0.1:9"')
    asked = with_artifact(live)
    assert asked.code == 5
    assert ": not asked: stages[0].artifact: found no answer: registry" in asked.lines[0]


# --- forms -----------------------------------------------------------------------------------------------------------


def test_the_forms_for_programs_have_the_same_findings_and_marks_leave_the_notes_out(live: Live) -> None:
    live.policy.write_text(POLICY.replace("tag: image.tag", "tag: image.tga"), encoding="utf-8")
    told = json.loads(live.run("--format", "json").output)
    assert [one["severity"] for one in told] == [*["note"] * 4, "warning", "fault", "note", "note"]
    assert [one["rule"] for one in told if one["severity"] != "note"] == ["live-rules", "live-edit"]
    sarif = json.loads(live.run("--format", "sarif").output)
    assert [one["ruleId"] for one in sarif["runs"][0]["results"]] == ["live-rules", "live-edit"]
    marks = live.run("--format", "github").output.splitlines()
    assert [line.partition(" ")[0] for line in marks[:-1]] == ["::warning", "::error"]


def test_no_secret_is_shown(live: Live) -> None:
    (live.lab.directory / "secrets" / "github").write_text("ghp_" + "x" * 36, encoding="utf-8")
    result = live.run()
    assert result.exit_code == 5
    assert "xxxx" not in result.output
    assert live.lab.argocd.token not in result.output
