"""What is told of two policies: one change of each field, and which way is stricter."""

from __future__ import annotations

import pytest

from bot.domain.policy import Policy
from bot.policy import parse_policy, parse_template, shipped_gate_templates
from bot.policy.comparing import Way, compare_policies
from tests.policy.a_rule import DEPTH
from tests.policy.test_floor import CHECKOUT
from tests.policy.two_policies import EVERYTHING, HOLIDAYS, INTAKES, OTHER_KINDS, changed, policy, told

GATES, RULE = "stages[build].gates", "{use: http-errors, limit: 1%, floor: 400, accept: proven}"
ARTIFACT, SCAN = "stages[production].artifact", "stages[production].artifact.require[scan]"
ROLLBACK = "stages[production].rollback"
IDENTITY = "https://github.com/acme/checkout/.github/workflows/release.yml@refs/tags/v{version}"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        # the service
        (
            "image: ghcr.io/acme/checkout",
            "image: ghcr.io/acme/other",
            "changed image: ghcr.io/acme/checkout -> ghcr.io/acme/other",
        ),
        ("source: acme/checkout", "source: acme/other", "changed source: acme/checkout -> acme/other"),
        ("repository: acme/deploy", "repository: evil/deploy", "changed gitops.repository: acme/deploy -> evil/deploy"),
        ("branch: main", "branch: next", "changed gitops.branch: main -> next"),
        ("branch: main", "commits: github", "changed gitops.commits: git -> github"),
        # a stage
        (
            "argocd: checkout-production",
            "argocd: other",
            "changed stages[production].argocd: checkout-production -> other",
        ),
        (
            "argocd: checkout-production",
            "argocd: [checkout-production, other]",
            "stricter stages[production].argocd: checkout-production -> checkout-production, other",
        ),
        (
            ", us:one]",
            "]",
            (
                "weaker stages[build].argocd: team-a/us:app=checkout,tier in (web,api), us:one "
                "-> team-a/us:app=checkout,tier in (web,api)"
            ),
        ),
        (
            "        pin: digest\n        document: {kind",
            "        document: {kind",
            "weaker stages[build].edit.pin: digest -> none",
        ),
        (
            "create: true",
            "create: false",
            (
                "changed stages[build].edit: …ion.yaml, name app, create True, document kind K, doc… "
                "-> …ion.yaml, name app, document kind K, doc…"
            ),
        ),
        (
            "    argocd: checkout-production\n",
            "    argocd: checkout-production\n    sync: bot\n",
            "changed stages[production].sync: argocd -> bot",
        ),
        (
            'semver: ">=1.4 <2"',
            'semver: ">=1.4 <3"',
            (
                "changed stages[build].releases: the highest version within >=1.4 <2, pre-releases included "
                "-> the highest version within >=1.4 <3, pre-releases included"
            ),
        ),
        # the window
        ("for: 30m", "for: 20m", "weaker stages[build].window.for: 30m -> 20m"),
        ("warmup: 2m", "warmup: 3m", "changed stages[build].window.warmup: 2m -> 3m"),
        ("deadline: 6h", "deadline: 7h", "changed stages[build].window.deadline: 6h -> 7h"),
        ("at_deadline: ask", "at_deadline: promote", "weaker stages[build].window.at_deadline: ask -> promote"),
        ("at_deadline: ask", "at_deadline: hold", "changed stages[build].window.at_deadline: ask -> hold"),
        # gates that count
        ("limit: 1%", "limit: 2%", f"weaker {GATES}[http-errors].limit: 1 % -> 2 %"),
        ("limit: 1%", "limit: 0.5%", f"stricter {GATES}[http-errors].limit: 1 % -> 0.5 %"),
        ("floor: 400", "floor: 10", f"weaker {GATES}[http-errors].floor: 400 -> 10"),
        ("floor: 400, ", "", f"weaker {GATES}[http-errors].floor: 400 -> 300"),
        ("accept: proven", "accept: not-shown-bad", f"weaker {GATES}[http-errors].accept: proven -> not-shown-bad"),
        (f"      - {RULE}\n", "", f"weaker {GATES}[http-errors]: HTTP errors below 1 % -> nothing"),
        ("accept: proven}", "mode: shadow}", f"weaker {GATES}[http-errors].mode: decide -> shadow"),
        (
            "accept: proven}",
            "labels: {pod: y}}",
            f"changed {GATES}[http-errors].labels: namespace=build, pod=x -> namespace=build, pod=y",
        ),
        (
            "accept: proven}",
            "errors: '50.'}",
            (
                f'changed {GATES}[http-errors]: …sts_total{{…,code=~"5.."}}[$tile])); sum by… '
                f'-> …sts_total{{…,code=~"50."}}[$tile])); sum by…'
            ),
        ),
        (
            RULE,
            "{use: http-errors, objective: 99%}",
            f"changed {GATES}[http-errors]: HTTP errors below 1 % -> HTTP errors within an objective of 99 %",
        ),
        # baselines and burn rates
        ("times: 1.5", "times: 2", f"weaker {GATES}[not-worse].times: 1.5 -> 2"),
        ("points: 1%", "points: 0.5%", f"stricter {GATES}[not-worse].points: 1 % -> 0.5 %"),
        (
            "ago: 7d",
            "ago: 8d",
            (
                f"changed {GATES}[not-worse-than-before].against: itself 7d ago, namespace=bui… "
                "-> itself 8d ago, namespace=bui…"
            ),
        ),
        ("objective: 99%", "objective: 98%", f"weaker {GATES}[budget].objective: 99 % -> 98 %"),
        ("least_bad: 20", "least_bad: 30", f"weaker {GATES}[budget].least_bad: 20 -> 30"),
        (
            "factor: 14.4",
            "factor: 20",
            f"weaker {GATES}[budget].windows: 1h/5m × 14.4, 6h/30m × 6 -> 1h/5m × 20, 6h/30m × 6",
        ),
        (
            ", {long: 6h, short: 30m, factor: 6}",
            "",
            f"weaker {GATES}[budget].windows: 1h/5m × 14.4, 6h/30m × 6 -> 1h/5m × 14.4",
        ),
        (
            "factor: 14.4}, {long: 6h",
            "factor: 14}, {long: 7h",
            f"changed {GATES}[budget].windows: 1h/5m × 14.4, 6h/30m × 6 -> 1h/5m × 14, 7h/30m × 6",
        ),
        # values and events
        ("above: 1000", "above: 2000", f"weaker {GATES}[kafka-lag].above: not above 1,000 -> not above 2,000"),
        ("below: 1", "below: 0.8", f"weaker {GATES}[depth].below: not below 1 -> not below 0.8"),
        ("below: 1, hard: 0.5", "above: 1, hard: 5", f"changed {GATES}[depth].above: not below 1 -> not above 1"),
        ("hard: 5000", "hard: 6000", f"weaker {GATES}[kafka-lag].hard: 5,000 -> 6,000"),
        (", hard: 5000", "", f"weaker {GATES}[kafka-lag].hard: 5,000 -> nothing"),
        ("hard: 0.5", "hard: 0.4", f"weaker {GATES}[depth].hard: 0.5 -> 0.4"),
        ("3 of 5", "4 of 5", f"weaker {GATES}[kafka-lag].tiles: 3 of 5 -> 4 of 5"),
        ("3 of 5", "4 of 9", f"changed {GATES}[kafka-lag].tiles: 3 of 5 -> 4 of 9"),
        ("at_most: 2", "at_most: 3", f"weaker {GATES}[crashes].at_most: not above 2 -> not above 3"),
        (
            "at_most: 2",
            "at_most: 2, absent: no-data",
            f"stricter {GATES}[crashes].absent: zero while count by (namespace, pod) (worker_info{{…}}) -> no-data",
        ),
        # what is built in
        (
            "      - {use: soak}\n",
            "",
            f"weaker {GATES}[soak]: the release has been live for the whole window -> nothing",
        ),
        ("unhealthy}", "report}", f"weaker {GATES}[argocd-healthy].out-of-sync: unhealthy -> report"),
        (
            "unhealthy}",
            "unhealthy, history: none}",
            (
                f"weaker {GATES}[argocd-healthy].history: count by (name) (count_over_time("
                f'argocd_app_info{{…,health_status=~"Degraded|Missing"}}[$tile])) '
                "-> nothing"
            ),
        ),
        ("for: 3m}", "for: 9m}", f"weaker {ROLLBACK}.triggers[argocd-degraded].for: 3m -> 9m"),
        ("for: 10m}", "for: 5m}", f"stricter {ROLLBACK}.triggers[argocd-sync-failed].for: 10m -> 5m"),
        # promotion
        ("merge: auto", "merge: human", "stricter stages[production].promote.merge: auto -> human"),
        ("auto_merge: bound", "auto_merge: any", "weaker stages[production].promote.auto_merge: bound -> any"),
        (
            '"@dana", "@acme/release"]',
            '"@dana"]',
            "stricter stages[production].promote.approvers: @dana, @acme/release -> @dana",
        ),
        (
            '["@dana", "@acme/release"]',
            '["@dana", "@eve"]',
            "changed stages[production].promote.approvers: @dana, @acme/release -> @dana, @eve",
        ),
        (
            '      approvers: ["@dana", "@acme/release"]\n',
            "",
            "changed stages[production].promote.approvers: @dana, @acme/release -> nothing",
        ),
        # rollback
        ("watch: 60m", "watch: 50m", f"weaker {ROLLBACK}.watch: 1h -> 50m"),
        ("by: commit", "by: pull-request", f"changed {ROLLBACK}.by: commit -> pull-request"),
        ("at_most: 3\n", "at_most: 4\n", f"changed {ROLLBACK}.at_most: 3 -> 4"),
        ("cool_down: 2h", "cool_down: 1h", f"weaker {ROLLBACK}.cool_down: 2h -> 1h"),
        ("      also: [build]\n", "", f"weaker {ROLLBACK}.also: build -> nothing"),
        (
            "      at_most: 3\n",
            "      at_most: 3\n      during_freeze: false\n",
            f"weaker {ROLLBACK}.during_freeze: true -> false",
        ),
        ("      at_most: 3\n", "      at_most: 3\n      tile: 30s\n", f"changed {ROLLBACK}.tile: 1m -> 30s"),
        (
            "        - {use: http-errors, limit: 2%}\n",
            "",
            f"weaker {ROLLBACK}.triggers[http-errors]: HTTP errors below 2 % -> nothing",
        ),
        # the artifact
        (
            "        - {use: signature}\n",
            "",
            f"weaker {ARTIFACT}.require[signature]: the artifact is signed by whom the policy names -> nothing",
        ),
        (
            "/runner/*",
            "/*/*",
            (
                f"weaker {ARTIFACT}.require[provenance].builder: https://github.com/actions/runner/* "
                "-> https://github.com/actions/*/*"
            ),
        ),
        ("[test, lint]", "[test]", f"weaker {ARTIFACT}.require[checks].names: test, lint -> test"),
        (", app: 15368", "", f"weaker {ARTIFACT}.require[checks].app: 15368 -> nothing"),
        ("app: 15368", "app: 1", f"changed {ARTIFACT}.require[checks].app: 15368 -> 1"),
        (
            "vuln/v1",
            "vuln/v2",
            (
                f"changed {SCAN}.type: https://cosign.sigstore.dev/attestation/vuln/v1 "
                "-> https://cosign.sigstore.dev/attestation/vuln/v2"
            ),
        ),
        ("newer_than: 7d", "newer_than: 8d", f"weaker {SCAN}.newer_than: 7d -> 8d"),
        (
            "at: metadata.scanFinishedOn",
            "at: metadata.other",
            f"changed {SCAN}.at: metadata.scanFinishedOn -> metadata.other",
        ),
        ("      signer:\n", "      log: optional\n      signer:\n", f"weaker {ARTIFACT}.log: required -> optional"),
        (
            "      signer:\n",
            "      found_in: [registry, github]\n      signer:\n",
            f"changed {ARTIFACT}.found_in: registry -> registry, github",
        ),
        # the calendar
        ("Europe/Berlin", "Europe/Paris", "changed calendar.timezone: Europe/Berlin -> Europe/Paris"),
        (
            "    calendar: {timezone: UTC, freeze: [{days: [sun]}]}\n",
            "",
            "weaker stages[production].calendar: freeze sun 00:00 to 24:00 -> at any time",
        ),
    ],
)
def test_one_change_is_told_in_one_line(old: str, new: str, line: str) -> None:
    assert told(old, new) == [line]


@pytest.mark.parametrize(
    ("old", "new", "way"),
    [
        # Who may sign: a place that fits more is weaker.
        (IDENTITY, IDENTITY.replace("v{version}", "{tag}"), Way.CHANGED),
        (IDENTITY, IDENTITY.replace("v{version}", "*"), Way.WEAKER),
        (IDENTITY, IDENTITY.replace("v{version}", "v1.*"), Way.CHANGED),
        (IDENTITY, IDENTITY.replace("release", "*"), Way.WEAKER),
        (IDENTITY, IDENTITY.replace("acme/checkout", "evil/checkout"), Way.CHANGED),
    ],
)
def test_a_signer_with_more_room_is_weaker(old: str, new: str, way: Way) -> None:
    assert {change.way for change in changed(old, new)} == {way}
    back = compare_policies(policy(EVERYTHING.replace(old, new)), policy(EVERYTHING))
    assert {change.way for change in back} == {way.opposite}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("repository_id: 1", "repository_id: 9", "changed {}.repository_id: 1 -> 9"),
        ("        repository_id: 1\n", "", "weaker {}.repository_id: 1 -> nothing"),
        ("        owner_id: 2\n", "", "weaker {}.owner_id: 2 -> nothing"),
        ("        ref: refs/tags/v{version}\n", "", "weaker {}.ref: refs/tags/v{{version}} -> nothing"),
        (
            "        ref: refs/tags/v{version}",
            "        ref: refs/tags/*",
            "weaker {}.ref: refs/tags/v{{version}} -> refs/tags/*",
        ),
        ("[push, workflow_dispatch]", "[push]", "stricter {}.triggers: push, workflow_dispatch -> push"),
        (
            "        runners: [github-hosted, self-hosted]\n",
            "",
            "weaker {}.runners: github-hosted, self-hosted -> nothing",
        ),
        (
            "        triggers:",
            "        issuer: https://evil.example\n        triggers:",
            "changed {}.issuer: https://token.actions.githubusercontent.com -> https://evil.example",
        ),
        (
            "        triggers:",
            "        repository: acme/other\n        triggers:",
            "changed {}.repository: https://github.com/acme/checkout -> https://github.com/acme/other",
        ),
    ],
)
def test_a_signer_of_its_own_is_compared_where_it_stands(old: str, new: str, line: str) -> None:
    # With a second signer in the list, nothing is said of all of them.
    for requirement in ("signature", "provenance"):
        assert line.format(f"{ARTIFACT}.require[{requirement}].signer") in told(old, new)


def test_a_signer_of_all_requirements_is_told_once() -> None:
    alone = EVERYTHING.replace("          signer: {key: scanner}\n", "")
    assert told("repository_id: 1", "repository_id: 9", alone) == [f"changed {ARTIFACT}.signer.repository_id: 1 -> 9"]


def test_another_key_and_a_key_in_place_of_a_certificate_are_told() -> None:
    scanner = "          signer: {key: scanner}\n"
    assert told("key: scanner", "key: other") == [f"changed {SCAN}.signer.key: scanner -> other"]
    assert told(scanner, "") == [f"changed {SCAN}.signer: the key scanner -> {IDENTITY}"]


@pytest.mark.parametrize(
    ("old", "new", "way"),
    [
        ("[CRITICAL, HIGH]", "[CRITICAL]", Way.WEAKER),
        ("[CRITICAL, HIGH]", "[CRITICAL, LOW]", Way.CHANGED),
        ("[MIT, Apache-2.0]", "[MIT]", Way.STRICTER),
        ("at_most: 7}", "at_most: 8}", Way.WEAKER),
        ("at_most: 7}", "at_most: 6.5}", Way.STRICTER),
        ("at_least: 80", "at_least: 70", Way.WEAKER),
        ("            - {path: d, at_most: 7}\n", "", Way.WEAKER),
        ("{path: d, at_most: 7}", "{path: d, one_of: [7]}", Way.CHANGED),
        ("{path: d, at_most: 7}", "{path: d, at_most: 7}\n            - {path: d, at_most: 5}", Way.CHANGED),
    ],
)
def test_what_an_attestation_must_say_is_compared_path_by_path(old: str, new: str, way: Way) -> None:
    (change,) = changed(old, new)
    assert (change.way, change.path) == (way, f"{SCAN}.where")


def test_the_number_1_is_not_the_word_true() -> None:
    text = EVERYTHING.replace("[MIT, Apache-2.0]", "[1]")
    assert [change.way for change in changed("[1]", "[true]", text)] == [Way.CHANGED]


def test_another_kind_of_requirement_by_the_same_name_is_told() -> None:
    (change,) = changed("- {use: signature}", "- {use: checks, name: signature, names: [test]}")
    assert (change.way, change.path) == (Way.CHANGED, f"{ARTIFACT}.require[signature]")


def test_requirements_that_nobody_signs_say_nothing_of_the_log() -> None:
    artifact = "    artifact: {require: [{use: checks, names: [test]}]}\n"
    text = OTHER_KINDS.replace("argocd: a}", "argocd: a, artifact: {require: [{use: checks, names: [test]}]}}")
    assert told("[test]", "[test, lint]", text) == [
        "stricter stages[a].artifact.require[checks].names: test -> test, lint"
    ]
    assert artifact.strip() not in OTHER_KINDS


def test_an_artifact_of_which_nothing_was_asked_is_told_once() -> None:
    new = "argocd: a, artifact: {signer: {key: k}, log: optional, require: [{use: signature}]}}"
    assert told("argocd: a}", new, OTHER_KINDS) == [
        "stricter stages[a].artifact.require[signature]: nothing -> the artifact is signed by whom the policy names"
    ]


# --- what means something only together ---


def test_a_promotion_by_commit_is_told_once() -> None:
    options = ("merge: auto", "auto_merge: bound", "method: squash", "labels: [promotion]", 'reviewers: ["@dana"]')
    text = EVERYTHING
    for option in options:
        text = text.replace(f"      {option}\n", "")
    by_commit = policy(text.replace("by: pull-request", "by: commit"))
    changes = compare_policies(policy(EVERYTHING), by_commit)
    assert [f"{change.way} {change.path}: {change}" for change in changes] == [
        "weaker stages[production].promote.by: pull-request -> commit"
    ]


def test_the_deadline_matters_where_a_release_is_promoted_at_it() -> None:
    text = EVERYTHING.replace("at_deadline: ask", "at_deadline: promote")
    assert told("deadline: 6h", "deadline: 5h", text) == ["weaker stages[build].window.deadline: 6h -> 5h"]


def test_what_is_in_the_shadow_before_and_after_is_not_compared() -> None:
    text = EVERYTHING.replace("accept: proven}", "mode: shadow}")
    assert told("limit: 1%, floor: 400", "limit: 3%", text) == []
    assert told("      - {use: http-errors, limit: 1%, floor: 400, mode: shadow}\n", "", text) == []


def test_a_new_gate_in_the_shadow_is_nothing_and_one_that_decides_is_stricter() -> None:
    soak = "      - {use: soak}\n"
    assert told(soak, f"{soak}      - {{use: grpc-errors, limit: 1%, mode: shadow}}\n") == []
    (line,) = told(soak, f"{soak}      - {{use: grpc-errors, limit: 1%}}\n")
    assert line.startswith(f"stricter {GATES}[grpc-errors]: nothing -> ")


def test_that_a_value_goes_below_its_bound_where_there_is_none_has_no_order() -> None:
    low = "{use: crashes-left, below: 1}"
    text = EVERYTHING.replace("{use: crashes, at_most: 2}", low.replace("crashes-left", "depth, name: left"))
    assert told("name: left, below: 1", "name: left, below: 0.9", text) == [
        f"weaker {GATES}[left].below: not below 1 -> not below 0.9"
    ]


def test_a_window_or_rollback_that_is_gone_is_weaker() -> None:
    stage = "argocd: a, window: {for: 30m}}"
    assert told(stage, "argocd: a}", OTHER_KINDS.replace("argocd: a}", stage)) == [
        "weaker stages[a].window: there -> nothing"
    ]


# --- the stages ---

THREE = """\
apiVersion: liftlock.dev/v1
service: a
image: r/a
gitops: {repository: acme/deploy}
stages:
  - {name: one, edit: {kustomize: one}, argocd: one, window: {for: 30m}, gates: [{use: argocd-healthy}]}
  - {name: two, from: one, edit: {kustomize: two}, argocd: two, window: {for: 30m}, gates: [{use: argocd-healthy}]}
  - {name: three, from: two, edit: {kustomize: three}, argocd: three}
"""
SECOND = THREE.splitlines(keepends=True)[6]


def test_a_stage_on_the_way_that_is_gone_is_weaker_and_so_is_the_shorter_way() -> None:
    without = THREE.replace(SECOND, "").replace("from: two", "from: one")
    changes = compare_policies(policy(THREE), policy(without))
    assert [f"{change.way} {change.path}: {change}" for change in changes] == [
        "weaker stages[three].from: two -> one",
        "weaker stages[two]: the stage two -> nothing",
    ]
    back = compare_policies(policy(without), policy(THREE))
    assert {change.path: change.way for change in back} == {
        "stages[three].from": Way.STRICTER,
        "stages[two]": Way.STRICTER,
    }


def test_a_last_stage_that_is_gone_is_told_and_is_not_weaker() -> None:
    last = THREE.splitlines(keepends=True)[7]
    assert told(last, "", THREE) == ["changed stages[three]: the stage three -> nothing"]
    (change,) = compare_policies(policy(THREE.replace(last, "")), policy(THREE))
    assert change.way is Way.CHANGED


def test_a_first_stage_that_takes_its_releases_from_the_registry_is_told() -> None:
    registry = "name: one, from: registry, releases: {follow: stable}"
    lines = told("name: one", registry, THREE)
    assert lines == [
        "changed stages[one].from: nothing -> registry",
        "changed stages[one].releases: nothing -> what the tag stable points at",
    ]


# --- calendars ---


@pytest.mark.parametrize(
    ("old", "new", "way"),
    [
        # A freeze that is shorter is weaker.
        ("to: 2027-01-03", "to: 2026-12-24", Way.WEAKER),
        ("from: 2026-12-20", "from: 2026-12-01", Way.STRICTER),
        ("from: 2026-12-20, to: 2027-01-03", "from: 2026-12-21, to: 2027-01-04", Way.CHANGED),
        ("for: 12h, reason", "for: 13h, reason", Way.STRICTER),
        ("BYDAY=-1FR", "BYDAY=-1MO", Way.CHANGED),
        # What is allowed for longer is weaker.
        ('to: "16:30"', 'to: "17:30"', Way.WEAKER),
        ('to: "16:30"', 'to: "06:00"', Way.WEAKER),
        ("[mon-thu]", "[mon-wed]", Way.STRICTER),
        (', {days: [fri], from: "09:00", to: "12:00"}', "", Way.STRICTER),
        (
            '  allow: [{days: [mon-thu], from: "09:00", to: "16:30"}, {days: [fri], from: "09:00", to: "12:00"}]\n',
            "",
            Way.WEAKER,
        ),
    ],
)
def test_a_calendar_that_is_open_longer_is_weaker(old: str, new: str, way: Way) -> None:
    (change,) = changed(old, new)
    assert change.way is way
    (back,) = compare_policies(policy(EVERYTHING.replace(old, new)), policy(EVERYTHING))
    assert back.way is way.opposite


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    - {holidays: DE-BY, reason: holidays}\n", ""),
        # All of Germany's are among Bavaria's.
        ("holidays: DE-BY", "holidays: DE"),
    ],
)
def test_fewer_holidays_are_weaker(old: str, new: str) -> None:
    (change,) = changed(old, new, HOLIDAYS)
    assert change.way is Way.WEAKER
    assert change.old.startswith("holidays of DE-BY; 2026-12-20 00:00 to 2027-01-04 00:00; ")


def test_windows_in_another_order_or_with_another_reason_are_the_same() -> None:
    assert told("reason: end-of-year freeze", "reason: because") == []
    two = '{days: [mon-thu], from: "09:00", to: "16:30"}', '{days: [fri], from: "09:00", to: "12:00"}'
    assert told(", ".join(two), ", ".join(reversed(two))) == []


def test_a_whole_policy_without_a_calendar_is_open_at_any_time() -> None:
    new = "gitops: {repository: acme/deploy}\ncalendar: {timezone: UTC, allow: [{days: [mon], to: '12:00'}]}\n"
    assert told("gitops: {repository: acme/deploy}\n", new, OTHER_KINDS) == [
        "stricter calendar: at any time -> allow mon 00:00 to 12:00"
    ]


def test_windows_are_told_in_words() -> None:
    (change,) = changed("for: 12h, reason", "for: 13h, reason")
    assert change.old == (
        "2026-12-20 00:00 to 2027-01-04 00:00; MONTHLY from 2026-01-30 18:00 for 12h; "
        "YEARLY from 2026-03-01 00:00 for 1d"
    )


# --- other kinds of edits ---


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("container: web", "container: app"),
        ("name: b, holds", "name: c, holds"),
        ("path: web.tag", "path: app.tag"),
        ("^TAG=(.*)$", "^VERSION=(.*)$"),
        ("image: app.image", "tag: app.tag"),
        ("{kustomize: f}", "{helm: {file: f, tag: t}}"),
        ("main-{number}", "next-{number}"),
    ],
)
def test_another_value_to_edit_or_rule_for_tags_is_told(old: str, new: str) -> None:
    assert [change.way for change in changed(old, new, INTAKES["pattern"])] == [Way.CHANGED]


def test_a_template_that_promises_a_query_for_many_stages_now_is_told() -> None:
    def read(joint: str) -> Policy:
        own = parse_template(f"{DEPTH.replace('joint: true', f'joint: {joint}')}", file="depth.yaml")
        text = CHECKOUT.replace("{use: http-errors, limit: 1%}", f"{{use: {own.name}, above: 1}}")
        return parse_policy(text, file="checkout.yaml", templates={**shipped_gate_templates(), own.name: own})

    (change,) = compare_policies(read("false"), read("true"))
    assert (change.way, change.old) == (Way.CHANGED, f"{change.new} by itself")
    assert not list(compare_policies(read("true"), read("true")))
