"""Kept summaries: signed so that the bot's own verifier takes them, written whole, and refused where that cannot be."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from bot.adapters.found_proofs import FoundLayer
from bot.adapters.sigstore import SigstoreVerifier, parse_public_key
from bot.adapters.summaries import SignedSummaries
from bot.domain.model import Digest
from bot.domain.proofs import Statement
from bot.domain.summaries import PREDICATE_TYPE, Summary
from bot.ports import Permanent
from tests.domain.test_summaries import passed, summed_up
from tests.trusted import DIGEST

Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
VERIFIER = "https://liftlock.acme.example"


@pytest.fixture(name="summary")
def fixture_summary() -> Summary:
    found = summed_up(passed())
    assert found is not None
    return found


def a_key(folder: Path, key: Private) -> Path:
    path = folder / "key.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def verified(kept: str, key: Private, digest: Digest = DIGEST) -> Statement:
    """What the bot itself makes of it, as of an attestation of cosign's by a key of the settings."""
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    content = kept.encode()
    layer = FoundLayer(
        digest=Digest(f"sha256:{hashlib.sha256(content).hexdigest()}"), payload=content, is_envelope=True
    )
    proofs = SigstoreVerifier(root=None, keys=[parse_public_key("bot", public)]).verify([layer], digest)
    (statement,) = proofs.statements
    return statement


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()])
def test_a_signed_summary_holds_for_whoever_has_the_public_key(tmp_path: Path, key: Private, summary: Summary) -> None:
    kept = SignedSummaries(verifier=VERIFIER, key_file=a_key(tmp_path, key)).keep("a", summary)
    statement = verified(kept, key)
    assert statement.predicate_type == PREDICATE_TYPE
    assert statement.signature.key == "bot"
    assert statement.predicate["verificationResult"] == "PASSED"


@pytest.mark.invariant("I11")
def test_a_summary_that_was_changed_or_is_of_other_bytes_proves_nothing(tmp_path: Path, summary: Summary) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    kept = json.loads(SignedSummaries(verifier=VERIFIER, key_file=a_key(tmp_path, key)).keep("a", summary))
    with pytest.raises(ValueError, match="not enough values"):
        verified(json.dumps(kept), key, Digest(f"sha256:{'b' * 64}"))
    kept["payload"] = kept["payload"].replace("A", "B", 1)
    with pytest.raises(ValueError, match="not enough values"):
        verified(json.dumps(kept), key)


def test_without_a_key_the_statement_is_kept_as_it_is(summary: Summary) -> None:
    assert SignedSummaries(verifier=VERIFIER).keep("a", summary) == summary.statement


def test_it_is_written_for_others_to_read_and_the_second_time_takes_the_place_of_the_first(
    tmp_path: Path, summary: Summary
) -> None:
    folder = tmp_path / "not" / "there"
    summaries = SignedSummaries(verifier=VERIFIER, directory=folder)
    for _ in range(2):
        kept = summaries.keep("checkout-production-1.9.0", summary)
    (file,) = folder.iterdir()
    assert file.name == "checkout-production-1.9.0.json"
    assert file.read_text(encoding="utf-8") == kept
    assert file.stat().st_mode & 0o777 == 0o644


def test_an_exchanged_key_takes_effect_at_once(tmp_path: Path, summary: Summary) -> None:
    summaries = SignedSummaries(verifier=VERIFIER, key_file=a_key(tmp_path, ed25519.Ed25519PrivateKey.generate()))
    summaries.keep("a", summary)
    other = ed25519.Ed25519PrivateKey.generate()
    a_key(tmp_path, other)
    assert verified(summaries.keep("a", summary), other).signature.key == "bot"


@pytest.mark.invariant("I12")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"not a key", "is no private key in PEM without a password"),
        (
            rsa.generate_private_key(65537, 2048).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
            ),
            "is no private key in PEM without a password",
        ),
        (
            rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "is a key of another kind: ECDSA on P-256 or Ed25519 is expected",
        ),
        (
            ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "is a key of another kind: ECDSA on P-256 or Ed25519 is expected",
        ),
    ],
)
def test_a_key_that_is_of_no_use_is_named_and_nothing_of_it_is_shown(
    tmp_path: Path, summary: Summary, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Permanent) as caught:
        SignedSummaries(verifier=VERIFIER, key_file=file).keep("a", summary)
    assert str(caught.value) == f"summaries: {file}: {reason}"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, summary: Summary) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    folder = tmp_path / "file" / "folder"
    with pytest.raises(Permanent, match="folder: cannot be written: Not a directory"):
        SignedSummaries(verifier=VERIFIER, directory=folder).keep("a", summary)
