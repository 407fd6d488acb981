"""The outline of `defaults.yaml` is checked by itself; what depends on the policy that inherits it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.policy import PolicyError, shipped_gate_templates
from bot.policy.defaults import check_defaults, parse_defaults, read_inherited
from bot.policy.schema.service import POLICY_FIELDS
from bot.policy.schema.stages import STAGE_FIELDS

HEAD = "apiVersion: liftlock.dev/v1\n"
TEMPLATES = shipped_gate_templates()


def faults(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse_defaults(text)
    return [str(fault) for fault in caught.value.faults]


def unknown(text: str) -> list[str]:
    return [str(fault) for fault in check_defaults(parse_defaults(text), TEMPLATES, {})]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("stage: {metrics: {a: b}}\n", "1:1: apiVersion: found nothing, expected liftlock.dev/v1"),
        ("- a\n", "1:1: found a list, expected a mapping"),
        (
            f"{HEAD}service: a\n",
            "2:10: service: found it, expected it in each policy: no two of them describe one service",
        ),
        (f"{HEAD}service:\n", "2:1: service: found nothing, expected a value, or not this key at all"),
        (f"{HEAD}extends: b.yaml\n", "2:10: extends: found it, expected it only in policies"),
        (
            f"{HEAD}stgae: {{}}\n",
            (
                "2:1: stgae: found an unknown key, expected one of apiVersion, calendar, gitops, image, "
                'source, stage, stages; did you mean "stage"?'
            ),
        ),
        (f"{HEAD}stages: [{{name: a}}]\n", "2:9: stages: found a list, expected a mapping"),
        (f"{HEAD}stage: x\n", '2:8: stage: found "x", expected a mapping'),
        (f"{HEAD}stage:\n", "2:1: stage: found nothing, expected a value, or not this key at all"),
        (f"{HEAD}stages: {{a: b}}\n", '2:13: stages.a: found "b", expected a mapping'),
        (f"{HEAD}stages: {{a: }}\n", "2:9: stages.a: found nothing, expected a mapping"),
        (
            f"{HEAD}stages: {{A!: {{}}}}\n",
            '2:10: stages: found "A!", expected the name of a stage: a-z, 0-9 and -, at most 63 long',
        ),
        (f"{HEAD}stage: {{name: a}}\n", "2:15: stage.name: found it, expected it only in policies"),
        (
            f"{HEAD}stages: {{a: {{gatess: []}}}}\n",
            (
                "2:14: stages.a.gatess: found an unknown key, expected one of argocd, artifact, calendar, edit, from, "
                "gates, metrics, metrics_from, promote, releases, rollback, sync, waves, window, with; "
                'did you mean "gates"?'
            ),
        ),
        (
            f'{HEAD}gitops: {{repository: "a/{{stage}}"}}\n',
            '2:22: gitops.repository: found "a/{stage}", expected {stage} only in stage and stages',
        ),
        (
            f'{HEAD}calendar: {{allow: [{{days: ["{{stage}}"]}}]}}\n',
            '2:28: calendar.allow[0].days[0]: found "{stage}", expected {stage} only in stage and stages',
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_outline_is_told_with_its_place(text: str, sentence: str) -> None:
    assert faults(text) == [f"defaults.yaml:{sentence}"]


def test_what_is_no_yaml_and_all_else_are_told_at_once() -> None:
    assert len(faults(f"{HEAD}stgae: 1\nstages: 2\nstages: 3\n")) == 3


@pytest.mark.parametrize("key", sorted(set(POLICY_FIELDS) - {"apiVersion", "extends", "service", "stages"}))
def test_defaults_may_say_every_field_of_a_service_but_its_name(key: str) -> None:
    assert key in (parse_defaults(f"{HEAD}{key}: x\n").service.entries or {})


@pytest.mark.parametrize("key", sorted(set(STAGE_FIELDS) - {"name"}))
def test_defaults_may_say_every_field_of_a_stage_but_its_name(key: str) -> None:
    defaults = parse_defaults(f"{HEAD}stage: {{{key}: x}}\nstages: {{a: {{{key}: y}}}}\n")
    assert (defaults.stage.entries or {}).keys() == (defaults.stages["a"].entries or {}).keys() == {key}


def test_unknown_keys_are_found_at_any_depth_without_a_policy() -> None:
    text = (
        f"{HEAD}gitops: {{repositry: a/b}}\n"
        "stage: {window: {fro: 1m}, releases: {semvre: '1'}, promote: {mergee: auto}}\n"
        "stages: {production: {rollback: {triggers: [{use: http-errors, limt: 1%}]}, edit: {helm: {tga: a}}}}\n"
    )
    assert [one.partition(": found")[0] for one in unknown(text)] == [
        "defaults.yaml:2:10: gitops.repositry",
        "defaults.yaml:3:18: stage.window.fro",
        "defaults.yaml:3:39: stage.releases.semvre",
        "defaults.yaml:3:63: stage.promote.mergee",
        "defaults.yaml:4:64: stages.production.rollback.triggers[0].limt",
        "defaults.yaml:4:91: stages.production.edit.helm.tga",
    ]


def test_what_a_policy_may_still_add_is_no_fault() -> None:
    assert unknown(f"{HEAD}stage: {{window: {{warmup: 1m}}, gates: [{{use: soak}}]}}\n") == []
    assert unknown(HEAD) == []


def test_defaults_are_read_with_the_limits_of_a_policy(tmp_path: Path) -> None:
    assert (read_inherited(tmp_path).defaults, read_inherited(tmp_path).error) == (None, None)
    (tmp_path / "defaults.yaml").write_text(HEAD)
    assert read_inherited(tmp_path).defaults is not None
    for content, sentence in (
        (b"\xff", "bytes that are no UTF-8"),
        (b"a: &b c", "an anchor or alias"),
        (b"[" * 100, "a deeper or larger structure"),
        (b"#" * 1_048_577, "more than 1 MiB"),
    ):
        (tmp_path / "defaults.yaml").write_bytes(content)
        assert sentence in str(read_inherited(tmp_path).error)
    (tmp_path / "defaults.yaml").unlink()
    (tmp_path / "defaults.yaml").symlink_to(tmp_path / "nowhere")
    assert "No such file" in str(read_inherited(tmp_path).error)
