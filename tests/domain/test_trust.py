"""What is kept of a statement: the values at the paths that a policy names, and nothing where a path leads nowhere."""

from __future__ import annotations

import pytest

from bot.domain.proofs import Json, Proofs, Scalar, Statement
from bot.domain.trust import BUILDER, AttestationRule, BuildRule, Condition, proven, values_at
from tests.trusted import DIGEST, SLSA, a_provenance_rule, a_signature, a_signature_rule, a_signer

SCAN: dict[str, Json] = {
    "scanner": {
        "uri": "pkg:github/aquasecurity/trivy",
        "result": {
            "Results": (
                {"Vulnerabilities": ({"Severity": "HIGH"}, {"Severity": "LOW"}, {"Severity": "HIGH"})},
                # Nothing was found in this one.
                {"Target": "usr/bin/app"},
            ),
            "Empty": (),
            "Flags": (1, True, 1.0, None),
        },
    },
    "metadata": {"scanFinishedOn": "2026-03-02T11:00:00Z"},
    "name": ("a", "b"),
}
SEVERITIES = "scanner.result.Results[].Vulnerabilities[].Severity"


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("metadata.scanFinishedOn", ("2026-03-02T11:00:00Z",)),
        (SEVERITIES, ("HIGH", "LOW")),
        ("scanner.result.Empty[]", ()),
        ("scanner.result.Empty[].x", ()),
        ("name[]", ("a", "b")),
        # A misspelt name must not look like a list without findings.
        ("scanner.result.Results[].Vulnerabilities[].severity", None),
        ("scanner.result.results[].Vulnerabilities[].Severity", None),
        ("scanner.result", None),
        ("scanner.result.Results[]", None),
        ("scanner.uri[]", None),
        ("scanner.uri.more", None),
        ("name", None),
        ("nothing", None),
    ],
)
def test_a_path_leads_to_values_or_nowhere(path: str, values: tuple[Scalar, ...] | None) -> None:
    assert values_at(SCAN, path) == values


def test_values_that_python_takes_for_equal_are_kept_apart() -> None:
    found = values_at(SCAN, "scanner.result.Flags[]")
    assert found is not None
    assert [repr(value) for value in found] == ["1", "True", "1.0", "None"]


def test_more_than_two_hundred_values_lead_nowhere() -> None:
    assert len(values_at({"a": tuple(range(200))}, "a[]") or ()) == 200
    assert values_at({"a": tuple(range(201))}, "a[]") is None


def test_only_what_a_rule_looks_at_is_kept() -> None:
    predicate: dict[str, Json] = {"builder": {"id": "b"}, "large": ("x" * 1000,)}
    statements = tuple(
        Statement(signature=a_signature(), predicate_type=kind, predicate=predicate)
        for kind in (SLSA, "https://other.example/v1", "https://spdx.dev/Document")
    )
    rules = (
        a_signature_rule(),
        a_provenance_rule(),
        BuildRule(name="artifact-checks", checks=("ci",)),
        AttestationRule(
            name="artifact-sbom",
            signer=a_signer(),
            predicate_type="https://spdx.dev/Document",
            at="created",
            where=(Condition(path="builder.id", one_of=("b",)),),
        ),
    )
    kept = proven(Proofs(digest=DIGEST, signatures=(a_signature(),), statements=statements), rules)
    assert [one.predicate_type for one in kept.attested] == [SLSA, "https://spdx.dev/Document"]
    assert kept.attested[0].values[BUILDER[1]] == ("b",)
    assert dict(kept.attested[1].values) == {"builder.id": ("b",), "created": None}
    assert kept.signatures == (a_signature(),)
