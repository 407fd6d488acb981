"""The hash of evidence: the same for the same verdicts in any order, another for any other number or word."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from bot.domain.evidence import canonical_json, evidence_hash
from bot.domain.verdicts import ApplicationEvidence, CountEvidence, Measured, Verdict, VerdictKind

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MEASURED = Measured(
    window_start=NOON,
    window_end=NOON + timedelta(minutes=30),
    seen_until=NOON,
    tile=timedelta(minutes=1),
    tiles_present=1,
    tiles_expected=1,
    newest_present=1,
    newest_expected=1,
    lately_absent=0,
    queries=("bad", "total"),
    backend="Prometheus",
    lag=timedelta(seconds=15),
)
COUNTS = CountEvidence(
    measured=MEASURED,
    bad=0.0,
    total=1200.0,
    limit=0.01,
    floor=300.0,
    upper_bound=None,
    e_value=0.1,
    alarm=20.0,
    dispersion=1.0,
)
ERRORS = Verdict(gate="http-errors", kind=VerdictKind.HEALTHY, reason="0 of 1,200 bad", evidence=COUNTS)
ARGO = Verdict(
    gate="argocd-healthy",
    kind=VerdictKind.HEALTHY,
    reason="synced and Healthy",
    evidence=ApplicationEvidence(sentences=("checkout: Healthy",)),
)


def with_counts(**changes: object) -> Verdict:
    return replace(ERRORS, evidence=replace(COUNTS, **changes))  # type: ignore[arg-type]  # a test names what it changes


def with_measured(**changes: object) -> Verdict:
    return with_counts(measured=replace(MEASURED, **changes))  # type: ignore[arg-type]  # a test names what it changes


def test_the_hash_names_its_algorithm() -> None:
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", evidence_hash([ERRORS, ARGO]))
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", evidence_hash([]))


def test_the_order_of_the_verdicts_does_not_matter() -> None:
    assert evidence_hash([ERRORS, ARGO]) == evidence_hash([ARGO, ERRORS])


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(with_counts(total=1200), id="a whole number"),
        pytest.param(with_counts(bad=-0.0), id="the negative zero"),
        pytest.param(with_measured(seen_until=NOON.astimezone(timezone(timedelta(hours=2)))), id="another zone"),
    ],
)
def test_one_value_written_in_two_ways_has_one_hash(same: Verdict) -> None:
    assert evidence_hash([same]) == evidence_hash([ERRORS])


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(ERRORS, gate="http-error"), id="gate"),
        pytest.param(replace(ERRORS, kind=VerdictKind.NOT_YET), id="kind"),
        pytest.param(replace(ERRORS, reason="none"), id="reason"),
        pytest.param(replace(ERRORS, evidence=None), id="no evidence"),
        pytest.param(with_counts(bad=5e-324), id="the smallest count"),
        pytest.param(with_counts(upper_bound=0.0), id="a bound of zero"),
        pytest.param(with_counts(e_value=float("inf")), id="a certain alarm"),
        pytest.param(with_measured(queries=("bad,total",)), id="queries joined"),
        pytest.param(with_measured(seen_until=NOON + timedelta(microseconds=1)), id="a moment later"),
    ],
)
def test_any_other_value_has_another_hash(other: Verdict) -> None:
    assert evidence_hash([other]) != evidence_hash([ERRORS])


def test_the_canonical_text_is_json_in_ascii_whatever_the_numbers() -> None:
    strange = replace(with_counts(e_value=float("nan"), dispersion=float("inf")), reason="\ud800 größer")
    text = canonical_json([strange])
    assert text.isascii()
    assert json.loads(text)[0]["evidence"]["e_value"] == "nan"
    assert json.loads(text)[0]["evidence"]["total"] == "1200.0"
