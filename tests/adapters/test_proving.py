"""Whom the settings trust, read anew at each use; and where nothing can be verified, the sentence why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bot.adapters.found_proofs import FoundBundle
from bot.adapters.proving import RegistryProofs, TrustFiles
from bot.adapters.registry import OciRegistry
from bot.domain.model import Digest
from bot.lab.clock import ManualClock
from bot.lab.sigstore import SigstoreLab
from bot.ports import Permanent
from tests.trusted import an_identity

DIGEST = Digest(f"sha256:{'a' * 64}")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def a_lab(seed: str = "one") -> SigstoreLab:
    return SigstoreLab(ManualClock(NOON), seed=seed)


def a_public_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Path:
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def is_signed(trust: TrustFiles, bundle: bytes) -> bool:
    found = FoundBundle(digest=Digest(f"sha256:{'b' * 64}"), content=bundle)
    return bool(trust.verifier().verify([found], DIGEST).signatures)


def test_without_a_trusted_root_the_public_instance_is_trusted_and_no_other() -> None:
    assert not is_signed(TrustFiles(), a_lab().sign_image(an_identity(), DIGEST))


def test_an_exchanged_root_takes_effect_at_once_and_an_unchanged_one_is_read_once(tmp_path: Path) -> None:
    root, one, two = tmp_path / "root.json", a_lab("one"), a_lab("two")
    trust = TrustFiles(trusted_root=root)
    root.write_bytes(one.trusted_root)
    assert is_signed(trust, one.sign_image(an_identity(), DIGEST))
    assert trust.verifier() is trust.verifier()
    root.write_bytes(two.trusted_root)
    assert not is_signed(trust, one.sign_image(an_identity(), DIGEST))
    assert is_signed(trust, two.sign_image(an_identity(), DIGEST))


def test_a_key_of_the_settings_signs_by_its_name(tmp_path: Path) -> None:
    lab, key = a_lab(), ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "root.json").write_bytes(lab.trusted_root)
    path = a_public_key(tmp_path / "release.pub", key)
    trust = TrustFiles(trusted_root=tmp_path / "root.json", keys={"release": path})
    found = FoundBundle(digest=Digest(f"sha256:{'b' * 64}"), content=lab.sign_image(key, DIGEST))
    (signature,) = trust.verifier().verify([found], DIGEST).signatures
    assert (signature.key, signature.identity) == ("release", None)


@pytest.mark.invariant("I11")
def test_a_file_that_is_of_no_use_is_named_and_nothing_is_verified_without_it(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.json"
    broken, large, key, weak = (tmp_path / name for name in ("broken.json", "large.json", "key.pub", "weak.pub"))
    broken.write_text("{}")
    large.write_bytes(b" " * (4 * 1024 * 1024 + 1))
    key.write_text("no key")
    a_public_key(weak, rsa.generate_private_key(public_exponent=65537, key_size=1024))  # noqa: S505
    cases = [
        (TrustFiles(trusted_root=missing), f"{missing}: cannot be read: No such file or directory"),
        (TrustFiles(trusted_root=broken), f"{broken}: the trusted root is no trusted_root.json with "),
        (TrustFiles(trusted_root=large), f"{large}: is too large to be read"),
        (TrustFiles(keys={"release": key}), f"{key}: the public key 'release' is no public key in PEM"),
        (TrustFiles(keys={"release": weak}), f"{weak}: the public key 'release' is an RSA key of fewer than 2048 bits"),
    ]
    for trust, sentence in cases:
        with pytest.raises(Permanent) as caught:
            trust.verifier()
        assert caught.value.sentence.startswith(sentence)


def test_one_key_by_two_names_is_refused(tmp_path: Path) -> None:
    path = a_public_key(tmp_path / "release.pub", ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(Permanent, match="the keys of the settings: "):
        TrustFiles(keys={"one": path, "two": path}).verifier()


def test_an_image_of_no_configured_registry_has_no_proofs_and_no_absence_of_them() -> None:
    with OciRegistry({}) as registry:
        assert RegistryProofs(registry, TrustFiles()).proofs_of("ghcr.io/acme/checkout", DIGEST) is None
