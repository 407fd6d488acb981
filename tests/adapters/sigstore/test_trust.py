from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.adapters.sigstore import BadTrustRoot, SigstoreVerifier, parse_trust_root, public_trust_root
from bot.lab.clock import ManualClock
from bot.lab.sigstore import SigstoreLab
from tests.adapters.sigstore.world import CI, IMAGE, START, a_bundle, a_lab, proof_of, reason_of


def test_the_public_instance_is_known_by_its_logs() -> None:
    hosts = {log.host for log in public_trust_root().logs.values()}
    assert "rekor.sigstore.dev" in hosts
    assert all(host.endswith(".sigstore.dev") for host in hosts)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"\xff", b" " * 2_000_000, b"[" * 100_000],
    ids=["empty", "no parts", "a list", "no text", "large", "deep"],
)
def test_a_file_that_is_no_trusted_root_is_refused(content: bytes) -> None:
    with pytest.raises(BadTrustRoot, match="the trusted root is"):
        parse_trust_root(content)


@pytest.mark.parametrize("part", ["tlogs", "ctlogs", "certificateAuthorities"])
def test_a_trusted_root_without_what_is_needed_is_refused(part: str) -> None:
    root = json.loads(a_lab().trusted_root) | {part: []}
    with pytest.raises(BadTrustRoot):
        parse_trust_root(json.dumps(root).encode())


def test_a_trusted_root_whose_log_has_a_broken_key_is_refused() -> None:
    root = json.loads(a_lab().trusted_root)
    root["tlogs"][0]["publicKey"]["rawBytes"] = "AAAA"
    with pytest.raises(BadTrustRoot):
        parse_trust_root(json.dumps(root).encode())


def retire_log(root: Any) -> None:
    root["tlogs"][0]["publicKey"]["validFor"]["end"] = "2026-03-02T09:00:00Z"


def retire_authority(root: Any) -> None:
    root["certificateAuthorities"][0]["validFor"]["end"] = "2026-03-02T09:00:00Z"


def start_log_later(root: Any) -> None:
    root["tlogs"][0]["publicKey"]["validFor"]["start"] = "2026-03-02T10:00:00Z"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (retire_log, "Its log entry is of a time at which the trust root does not trust that log."),
        (start_log_later, "Its log entry is of a time at which the trust root does not trust that log."),
        (
            retire_authority,
            "Its certificate was not issued by an authority that the trust root knows, or not for that time.",
        ),
    ],
)
def test_what_was_retired_before_it_signed_is_not_trusted(edit: Callable[[Any], None], reason: str) -> None:
    lab = a_lab()
    root = json.loads(lab.trusted_root)
    edit(root)
    verifier = SigstoreVerifier(root=parse_trust_root(json.dumps(root).encode()))
    assert reason_of(verifier.verify([a_bundle(lab.sign_image(CI, IMAGE))], IMAGE)) == reason
    assert reason_of(verifier.verify([lab.sign_image_as_cosign(CI, IMAGE)], IMAGE)) == reason


def test_a_retired_authority_is_not_trusted_under_the_name_of_the_next_one() -> None:
    lab, next_lab = a_lab(), SigstoreLab(ManualClock(START), seed="the next")
    root = json.loads(lab.trusted_root)
    retire_authority(root)
    root["certificateAuthorities"] += json.loads(next_lab.trusted_root)["certificateAuthorities"]
    verifier = SigstoreVerifier(root=parse_trust_root(json.dumps(root).encode()))
    assert reason_of(verifier.verify([a_bundle(lab.sign_image(CI, IMAGE))], IMAGE)) == (
        "Its certificate was not issued by an authority that the trust root knows, or not for that time."
    )


def test_what_was_retired_after_it_signed_still_holds() -> None:
    lab = a_lab()
    root = json.loads(lab.trusted_root)
    for part in (root["tlogs"][0]["publicKey"], root["certificateAuthorities"][0]):
        part["validFor"]["end"] = "2026-03-02T11:00:00Z"
    verifier = SigstoreVerifier(root=parse_trust_root(json.dumps(root).encode()))
    proof_of(verifier.verify([a_bundle(lab.sign_image(CI, IMAGE))], IMAGE))


@pytest.mark.parametrize("year", [2019, 2090])
def test_what_is_proven_does_not_depend_on_this_machines_clock(year: int) -> None:
    lab = SigstoreLab(ManualClock(datetime(year, 5, 6, tzinfo=UTC)))
    verifier = SigstoreVerifier(root=parse_trust_root(lab.trusted_root))
    proofs = verifier.verify([a_bundle(lab.sign_image(CI, IMAGE)), lab.sign_image_as_cosign(CI, IMAGE)], IMAGE)
    assert len(proofs.signatures) == 2
