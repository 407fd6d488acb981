"""Every sentence that a wrong policy can get, word for word, as its writer reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.policy import PolicyError, parse_policy, shipped_gate_templates

TEMPLATES = shipped_gate_templates()
CHECKOUT = (Path(__file__).resolve().parents[2] / "policies" / "examples" / "checkout.yaml").read_text("utf-8")

EDITS = "kustomize, helm, manifest, argocd-application, path, regex"


@pytest.mark.parametrize(
    ("old", "new", "place", "path", "sentence"),
    [
        (
            "use: http-errors, limit: 1%",
            "use: zzz, limit: 1%",
            "13:15",
            "stages[0].gates[0].use",
            f'found "zzz", expected one of {", ".join(sorted(["argocd-healthy", "soak", *TEMPLATES]))}',
        ),
        (
            "liftlock.dev/v1",
            "liftlock.dev/v2",
            "1:13",
            "apiVersion",
            'found "liftlock.dev/v2", expected liftlock.dev/v1',
        ),
        (
            "service: checkout",
            "service: Checkout",
            "2:10",
            "service",
            'found "Checkout", expected a name of a-z, 0-9 and -, at most 63 long',
        ),
        (
            "ghcr.io/acme/checkout\n",
            "ghcr.io/acme/checkout:1.0\n",
            "3:8",
            "image",
            'found "ghcr.io/acme/checkout:1.0", expected an image without tag or digest, such as ghcr.io/acme/checkout',
        ),
        (
            "source: acme/checkout",
            "source: checkout",
            "4:9",
            "source",
            'found "checkout", expected a repository as owner/name',
        ),
        ("branch: main", "branch: a..b", "5:43", "gitops.branch", 'found "a..b", expected a branch name'),
        (
            "name: staging",
            "name: Staging",
            "7:11",
            "stages[0].name",
            'found "Staging", expected a name of a-z, 0-9 and -, at most 63 long',
        ),
        (
            "from: staging",
            "from: stage",
            "17:11",
            "stages[1].from",
            'found "stage", expected another stage: staging; or registry; did you mean "staging"?',
        ),
        (
            "apps/checkout/staging",
            "../staging",
            "8:23",
            "stages[0].edit.kustomize",
            'found "../staging/kustomization.yaml", expected a path inside the repository, or a mapping with file:',
        ),
        (
            "{helm: {file: apps/checkout/production/values.yaml, tag: image.tag}}",
            "{}",
            "18:11",
            "stages[1].edit",
            f"found none of them, expected exactly one of {EDITS}",
        ),
        (
            "{helm: {file: apps/checkout/production/values.yaml, tag: image.tag}}",
            "{kustomize: a.yaml, helm: {file: b.yaml, tag: c}}",
            "18:11",
            "stages[1].edit",
            f"found kustomize and helm, expected exactly one of {EDITS}",
        ),
        (
            "tag: image.tag",
            "tag: image..tag",
            "18:68",
            "stages[1].edit.helm.tag",
            'found "image..tag", expected a path such as image.tag, images[0].tag or images[name=web].tag',
        ),
        (
            "{helm: {file: apps/checkout/production/values.yaml, tag: image.tag}}",
            "{kustomize: apps/checkout/staging/kustomization.yaml}",
            "16:5",
            "stages[1].edit",
            "found the value that stage staging has, expected a value of its own",
        ),
        (
            "checkout-staging\n",
            "[a, a]\n",
            "9:13",
            "stages[0].argocd",
            "found an application twice, expected each application once",
        ),
        (
            "checkout-staging\n",
            "[]\n",
            "9:13",
            "stages[0].argocd",
            "found an empty list, expected an Argo CD application, a mapping with selector, or a list of these",
        ),
        (
            "    argocd: checkout-staging\n",
            "",
            "7:5",
            "stages[0].argocd",
            "found nothing, expected an Argo CD application, a mapping with selector, or a list of these",
        ),
        (
            "    metrics: {namespace: checkout-staging}\n",
            "    metrics: {}\n",
            "10:14",
            "stages[0].metrics",
            "found no label, expected at least one label, such as namespace",
        ),
        (
            "    metrics: {namespace: checkout-staging}\n",
            "    metrics: {a-b: c, d: e}\n",
            "10:15",
            "stages[0].metrics",
            'found the label "a-b", expected a Prometheus label name that does not begin with __',
        ),
        (
            "    metrics: {namespace: checkout-staging}\n",
            '    metrics: {namespace: ""}\n',
            "10:15",
            "stages[0].metrics.namespace",
            "found an empty value, expected the value that selects the stage",
        ),
        (
            "    metrics: {namespace: checkout-staging}\n",
            '    metrics: {namespace: "a\\0b"}\n',
            "10:26",
            "stages[0].metrics.namespace",
            'found "ab" with control or invisible characters, expected a label\'s value',
        ),
        (
            "for: 30m",
            "for: soon",
            "11:19",
            "stages[0].window.for",
            'found "soon", expected a duration such as 30s, 5m or 1h30m',
        ),
        (
            "deadline: 6h",
            "deadline: 32m",
            "11:13",
            "stages[0].window.deadline",
            "found no time left, expected more than warmup and for together",
        ),
        (
            "warmup: 2m",
            "tile: 31m",
            "11:13",
            "stages[0].window.tile",
            "found more than the window, expected at most for",
        ),
        (
            "warmup: 2m",
            "tile: 500ms",
            "11:30",
            "stages[0].window.tile",
            'found "500ms", expected a duration such as 30s, 5m or 1h30m, at least 1s',
        ),
        (
            "warmup: 2m",
            "warmpu: 2m",
            "11:24",
            "stages[0].window.warmpu",
            'found an unknown key, expected one of at_deadline, deadline, for, tile, warmup; did you mean "warmup"?',
        ),
        (
            "{use: http-errors, limit: 1%}",
            "{use: http-errors, limit: 1%}\n      - {use: http-errors, limit: 1%}",
            "13:7",
            "stages[0].gates",
            "found http-errors twice, expected a name of its own for each",
        ),
        (
            "slower_than: 500ms, ",
            "",
            "14:9",
            "stages[0].gates[1].slower_than",
            "found nothing, expected a duration: the bound of a histogram bucket, such as 500ms",
        ),
        (
            "{use: http-errors, limit: 1%}",
            "{use: http-errors, limit: 1%, metric: 'a{b'}",
            "13:47",
            "stages[0].gates[0].metric",
            'found "a{b", expected a metric: a counter of requests with a label for the status code',
        ),
        (
            "{by: pull-request",
            "{by: push",
            "21:19",
            "stages[1].promote.by",
            'found "push", expected pull-request or commit',
        ),
        ("merge: auto", "merge: maybe", "21:40", "stages[1].promote.merge", 'found "maybe", expected auto or human'),
        (
            "merge: auto",
            "merge: Atuo",
            "21:40",
            "stages[1].promote.merge",
            'found "Atuo", expected auto or human; did you mean "auto"?',
        ),
        (
            "merge: auto",
            "evidence: commnet",
            "21:43",
            "stages[1].promote.evidence",
            'found "commnet", expected comment or body; did you mean "comment"?',
        ),
        (
            "    gates:\n",
            "    gatess:\n",
            "12:5",
            "stages[0].gatess",
            (
                "found an unknown key, expected one of argocd, artifact, calendar, edit, from, gates, metrics, "
                'metrics_from, name, promote, releases, rollback, sync, waves, window, with; did you mean "gates"?'
            ),
        ),
        (
            "use: http-errors, limit: 1%",
            "use: http-error, limit: 1%",
            "13:15",
            "stages[0].gates[0].use",
            (
                f'found "http-error", expected one of {", ".join(sorted(["argocd-healthy", "soak", *TEMPLATES]))}; '
                'did you mean "http-errors"?'
            ),
        ),
        (
            "by: commit ",
            "also: [stagin] ",
            "16:5",
            "stages[1].rollback.also",
            'found "stagin", expected a stage that releases pass before production: staging; did you mean "staging"?',
        ),
        (
            "tag: image.tag}}",
            "tag: image.tag, pin: digst}}",
            "18:84",
            "stages[1].edit.helm.pin",
            'found "digst", expected digest or none; did you mean "digest"?',
        ),
        (
            "  - name: staging\n",
            "  - name: staging\n    promote: {merge: auto}\n",
            "8:14",
            "stages[0].promote",
            "found it in a first stage, expected it only in a stage with from",
        ),
        (
            "by: commit ",
            "by: force ",
            "24:11",
            "stages[1].rollback.by",
            'found "force", expected commit or pull-request',
        ),
        (
            "by: commit ",
            "cool_down: soon ",
            "24:18",
            "stages[1].rollback.cool_down",
            'found "soon", expected a duration such as 30s, 5m or 1h30m',
        ),
        (
            "by: commit ",
            "also: [production] ",
            "16:5",
            "stages[1].rollback.also",
            'found "production", expected a stage that releases pass before production: staging',
        ),
        (
            "by: commit ",
            "also: [Staging] ",
            "24:14",
            "stages[1].rollback.also[0]",
            'found "Staging", expected the name of a stage that releases pass before this one',
        ),
        *(
            (
                "by: commit ",
                f"at_most: {said} ",
                "24:16",
                "stages[1].rollback.at_most",
                f'found "{said}", expected a whole number from 1 to 100',
            )
            for said in ("0", "101", "2.5", "-1", "many")
        ),
        (
            "[{use: http-errors, limit: 2%}, {use: argocd-degraded, for: 3m}]",
            "[]",
            "25:17",
            "stages[1].rollback.triggers",
            "found an empty list, expected at least one trigger",
        ),
    ],
)
def test_a_fault_reads(*, old: str, new: str, place: str, path: str, sentence: str) -> None:
    assert CHECKOUT.count(old) >= 1
    with pytest.raises(PolicyError) as caught:
        parse_policy(CHECKOUT.replace(old, new, 1), file="checkout.yaml", templates=TEMPLATES)
    assert str(caught.value) == f"checkout.yaml:{place}: {path}: {sentence}"
