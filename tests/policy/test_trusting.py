"""`artifact` of a stage: what must be proven of a release's artifact, and every sentence that a wrong one can get."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.domain.policy import ProofsIn
from bot.domain.signers import KeyHolder, Keyless, Template
from bot.domain.trust import AttestationRule, BuildRule, Condition, ProvenanceRule, SignatureRule, TrustRule
from bot.policy import PolicyError, parse_policy, shipped_gate_templates
from tests.trusted import ISSUER, REPOSITORY, WORKFLOW

TEMPLATES = shipped_gate_templates()
HEAD = """\
apiVersion: liftlock.dev/v1
service: checkout
image: ghcr.io/acme/checkout
gitops: {repository: acme/deploy}
stages:
  - name: staging
    edit: {kustomize: apps/checkout/staging/kustomization.yaml}
    argocd: checkout-staging
    artifact:
"""
SIGNER = f"signer: {{identity: '{WORKFLOW}@refs/tags/v{{version}}'}}"
IDENTITY = Template(f"{WORKFLOW}@refs/tags/v{{version}}")
DEFAULT = Keyless(issuer=ISSUER, identity=IDENTITY, repository=REPOSITORY)


def written(*lines: str) -> str:
    return HEAD + "".join(f"      {line}\n" for line in lines)


def rules_of(*lines: str) -> tuple[TrustRule, ...]:
    return parse_policy(written(*lines), file="a.yaml", templates=TEMPLATES).stages[0].artifact


def faults_of(*lines: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        rules_of(*lines)
    return [
        f"{fault.line}:{fault.column} {fault.path.removeprefix('stages[0].artifact')}: "
        f"found {fault.found}, expected {fault.expected}"
        for fault in caught.value.faults
    ]


def require(*entries: str) -> str:
    return f"require: [{', '.join(entries)}]"


# --- what is read ----------------------------------------------------------------------------------------------------


def test_a_workflow_signs_for_its_own_repository_unless_another_is_named() -> None:
    assert rules_of(SIGNER, require("{use: signature}")) == (SignatureRule(name="artifact-signature", signer=DEFAULT),)
    shared = "signer: {identity: 'https://github.com/acme/shared/.github/workflows/release.yml@refs/heads/main', "
    (rule,) = rules_of(f"{shared}repository: acme/checkout}}", require("{use: signature}"))
    assert isinstance(rule, SignatureRule)
    assert isinstance(rule.signer, Keyless)
    assert rule.signer.repository == REPOSITORY


def test_all_that_a_certificate_can_be_asked_for_is_read() -> None:
    (rule,) = rules_of(
        "signer:",
        "  issuer: https://gitlab.example:8443/sso",
        "  identity: https://gitlab.example/acme/checkout//ci.yml@refs/heads/*",
        "  repository: https://gitlab.example/acme/checkout",
        "  repository_id: 12",
        "  owner_id: '34'",
        "  ref: refs/heads/*",
        "  triggers: [push, release]",
        "  runners: [github-hosted]",
        "log: optional",
        require("{use: provenance, builder: 'https://github.com/actions/runner/*'}"),
    )
    assert rule == ProvenanceRule(
        name="artifact-provenance",
        must_be_logged=False,
        builder=Template("https://github.com/actions/runner/*"),
        signer=Keyless(
            issuer="https://gitlab.example:8443/sso",
            identity=Template("https://gitlab.example/acme/checkout//ci.yml@refs/heads/*"),
            repository="https://gitlab.example/acme/checkout",
            repository_id="12",
            owner_id="34",
            ref=Template("refs/heads/*"),
            triggers=("push", "release"),
            runners=("github-hosted",),
        ),
    )


def test_a_person_may_sign_and_a_key() -> None:
    (mail,) = rules_of(
        "signer: {issuer: https://accounts.google.com, identity: dana@acme.example}", require("{use: signature}")
    )
    assert isinstance(mail, SignatureRule)
    assert mail.signer == Keyless(issuer="https://accounts.google.com", identity=Template("dana@acme.example"))
    (key,) = rules_of(require("{use: signature, signer: {key: release}, name: by-key}"))
    assert key == SignatureRule(name="artifact-by-key", signer=KeyHolder(key="release"))


def test_attestations_and_checks_are_read_with_their_conditions() -> None:
    attestation, checks = rules_of(
        SIGNER,
        "require:",
        "  - use: attestation",
        "    name: scan",
        "    type: https://cosign.sigstore.dev/attestation/vuln/v1",
        "    newer_than: 7d",
        "    at: metadata.scanFinishedOn",
        "    where:",
        "      - path: scanner.result.Results[].Vulnerabilities[].Severity",
        "        none_of: [CRITICAL, 5, 1.5, true, 'null']",
        "      - {path: scanner.uri, is: trivy}",
        "      - {path: a, one_of: [false]}",
        "      - {path: b, at_most: 3}",
        "      - {path: c, at_least: 80%}",
        "  - {use: checks, names: [test, 'build / image'], app: 15368}",
    )
    assert attestation == AttestationRule(
        name="artifact-scan",
        signer=DEFAULT,
        predicate_type="https://cosign.sigstore.dev/attestation/vuln/v1",
        newer_than=timedelta(days=7),
        at="metadata.scanFinishedOn",
        where=(
            Condition(
                path="scanner.result.Results[].Vulnerabilities[].Severity", none_of=("CRITICAL", 5, 1.5, True, None)
            ),
            Condition(path="scanner.uri", one_of=("trivy",)),
            Condition(path="a", one_of=(False,)),
            Condition(path="b", at_most=3.0),
            Condition(path="c", at_least=0.8),
        ),
    )
    assert checks == BuildRule(name="artifact-checks", checks=("test", "build / image"), app=15368)


def test_a_stage_that_says_nothing_asks_for_nothing() -> None:
    text = HEAD.replace("    artifact:\n", "")
    (stage,) = parse_policy(text, file="a.yaml", templates=TEMPLATES).stages
    assert (stage.artifact, stage.proofs_in) == ((), (ProofsIn.REGISTRY,))


@pytest.mark.parametrize(
    ("written_as", "places"),
    [
        ("", (ProofsIn.REGISTRY,)),
        ("found_in: [registry]", (ProofsIn.REGISTRY,)),
        ("found_in: [github]", (ProofsIn.GITHUB,)),
        ("found_in: [registry, github]", (ProofsIn.REGISTRY, ProofsIn.GITHUB)),
        ("found_in: [github, registry]", (ProofsIn.REGISTRY, ProofsIn.GITHUB)),
    ],
)
def test_proofs_are_looked_for_in_the_registry_unless_another_place_is_named(
    written_as: str, places: tuple[ProofsIn, ...]
) -> None:
    text = "source: acme/checkout\n" + written(SIGNER, written_as, require("{use: signature}"))
    (stage,) = parse_policy(text, file="a.yaml", templates=TEMPLATES).stages
    assert stage.proofs_in == places


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (
            (SIGNER, "require: []"),
            "11:16 .require: found an empty list, expected at least one thing that must be proven",
        ),
        ((SIGNER,), "10:7 .require: found nothing, expected a list"),
        (
            (require("{use: signature}"),),
            "10:17 .require[0].signer: found nothing, expected a signer, here or for all of require",
        ),
        (
            (SIGNER, require("{use: signatures}")),
            (
                '11:23 .require[0].use: found "signatures", expected one of signature, provenance, attestation, '
                'checks; did you mean "signature"?'
            ),
        ),
        (
            (SIGNER, require("{use: signature}", "{use: signature}")),
            "11:16 .require: found artifact-signature twice, expected a name of its own for each",
        ),
        (
            (SIGNER, "log: never", require("{use: signature}")),
            '11:12 .log: found "never", expected required or optional',
        ),
        (
            (SIGNER, require("{use: attestation, type: 'https://spdx.dev/Document'}")),
            "11:17 .require[0].name: found nothing, expected a name of a-z, 0-9 and -, at most 63 long",
        ),
        (
            (SIGNER, require("{use: attestation, name: a, type: sbom}")),
            '11:51 .require[0].type: found "sbom", expected a predicate type, such as https://spdx.dev/Document',
        ),
        (
            (SIGNER, require("{use: attestation, name: a, type: 'https://a.example', at: b}")),
            "11:17 .require[0].at: found a path, expected it only beside newer_than",
        ),
        ((require("{use: checks}"),), "10:17 .require[0].names: found nothing, expected a list"),
        (
            (require("{use: checks, names: [a], app: github}"),),
            (
                '10:48 .require[0].app: found "github", '
                "expected the number of a GitHub App, such as 15368 for GitHub Actions"
            ),
        ),
    ],
)
def test_a_requirement_that_asks_for_nothing_certain_is_refused(lines: tuple[str, ...], fault: str) -> None:
    assert faults_of(*lines) == [fault]


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    "identity",
    [
        # Whoever may make a repository somewhere would be let in.
        "https://github.com/*/checkout/.github/workflows/release.yml@refs/heads/main",
        "https://github.com/acme/*/.github/workflows/release.yml@refs/heads/main",
        "https://github.com/acme/{tag}/.github/workflows/release.yml@refs/heads/main",
        "https://*/acme/checkout/.github/workflows/release.yml@refs/heads/main",
        "*@acme.example",
        "*",
        "{tag}",
        "https://github.com/acme/checkout/{release}",
        "https://github.com/acme/checkout/{tag",
        "https://github.com/acme/checkout/*/*/*/*",
        "dana at acme",
        "",
    ],
)
def test_an_identity_that_lets_strangers_in_is_refused(identity: str) -> None:
    (fault,) = faults_of(f"signer: {{identity: '{identity}'}}", require("{use: signature}"))
    assert ".signer.identity: found " in fault


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("issuer", "http://accounts.google.com", "an https URL"),
        ("repository", "checkout", "a repository as owner/name on github.com, or as an https URL"),
        ("repository_id", "acme", "the number that the forge has given it, such as 1296269"),
        ("owner_id", "-1", "the number that the forge has given it, such as 1296269"),
        ("ref", "main", "a ref such as refs/heads/main or refs/tags/v{version}"),
    ],
)
def test_each_field_of_a_signer_says_what_it_expects(field: str, value: str, expected: str) -> None:
    signer = f"signer: {{identity: '{WORKFLOW}@refs/heads/main', {field}: '{value}'}}"
    (fault,) = faults_of(signer, require("{use: signature}"))
    assert fault.endswith(f'.signer.{field}: found "{value}", expected {expected}')


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ("{path: a}", "found nothing, expected one of is, one_of, none_of, at_most and at_least"),
        (
            "{path: a, is: b, at_most: 3}",
            "found is and at_most, expected one of is, one_of, none_of, at_most and at_least",
        ),
        ("{path: a, one_of: []}", "found an empty list, expected at least one value"),
        ("{path: 'a b', is: b}", 'found "a b", expected a path in the predicate, such as '),
        ("{path: a, at_most: many}", 'found "many", expected a number such as 100, 0.8, 80% or 512Mi'),
        ("{path: a, is: [b]}", "found a list, expected a text, a number, true, false or null"),
    ],
)
def test_a_condition_says_one_thing(condition: str, fault: str) -> None:
    entry = f"{{use: attestation, name: a, type: 'https://a.example', where: [{condition}]}}"
    assert any(fault in found for found in faults_of(SIGNER, require(entry)))


def test_a_text_that_is_too_long_is_no_value() -> None:
    entry = f"{{use: attestation, name: a, type: 'https://a.example', where: [{{path: a, is: {'x' * 501}}}]}}"
    assert "expected a text, a number, true, false or null" in faults_of(SIGNER, require(entry))[0]


def test_a_fault_of_the_shared_signer_is_told_once() -> None:
    faults = faults_of("signer: {identity: '*'}", require("{use: signature}", "{use: provenance, builder: 'a b'}"))
    assert [fault.partition(": ")[0].partition(" ")[2] for fault in faults] == [
        ".signer.identity",
        ".require[1].builder",
    ]
    assert len(faults_of("signer: {key: 'a b'}", require("{use: signature}"))) == 1
    assert len(faults_of("signer: text", require("{use: attestation, name: a, type: 'https://a.example'}"))) == 1
    assert len(faults_of(SIGNER, "require: [text]")) == 1


@pytest.mark.invariant("I11")
@pytest.mark.parametrize(
    ("places", "fault"),
    [
        ("[]", "11:17 .found_in: found an empty list, expected registry or github, or both"),
        ("[registry, registry]", "11:17 .found_in: found registry twice, expected each place once"),
        ("[gitlab]", '11:18 .found_in[0]: found "gitlab", expected registry or github'),
        ("registry", '11:17 .found_in: found "registry", expected a list'),
        ("", "11:7 .found_in: found nothing, expected a value, or not this key at all"),
        (
            "[github]",
            (
                '6:5 .found_in: found "github" without a source, expected source at the top of the policy: GitHub is '
                "asked for the attestations of that repository"
            ),
        ),
    ],
)
def test_a_place_where_nothing_can_be_looked_for_is_refused(places: str, fault: str) -> None:
    assert faults_of(SIGNER, f"found_in: {places}", require("{use: signature}")) == [fault]


def test_a_source_that_is_none_is_one_fault_also_where_github_is_to_be_asked_for_it() -> None:
    text = "source: checkout\n" + written(SIGNER, "found_in: [github]", require("{use: signature}"))
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, file="a.yaml", templates=TEMPLATES)
    assert [fault.path for fault in caught.value.faults] == ["source"]
