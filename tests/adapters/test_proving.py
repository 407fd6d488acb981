"""Whom the settings trust, read anew at each use; where proofs are looked for; and the sentence why there are none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.responses import Response

from bot.adapters.found_proofs import FoundBundle
from bot.adapters.github import GitHubAttestations
from bot.adapters.proving import ArtifactProofs, TrustFiles
from bot.adapters.registry import OciRegistry
from bot.domain.model import Digest
from bot.domain.proofs import Proofs
from bot.lab.clock import ManualClock
from bot.lab.sigstore import SigstoreLab
from bot.ports import Permanent, Transient
from tests.adapters import registryparts as beside
from tests.adapters.githubparts import BAD_GATEWAY, REPO, always, parts_for
from tests.adapters.githubserver import FakeGitHub, fake_github
from tests.adapters.scripted import Scripted
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


# --- where proofs are looked for -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Places:
    """A registry and a GitHub that have an image and its repository, and nothing that proves anything of it."""

    registry: Scripted
    github: FakeGitHub
    proving: ArtifactProofs
    sigstore: SigstoreLab

    def push(self, digest: Digest = beside.DIGEST) -> None:
        """Let a signature lie beside the image."""
        bundle = self.sigstore.sign_image(an_identity(), digest)
        beside.list_beside(self.registry, beside.a_bundle(bundle), blobs=(bundle,))

    def keep(self, digest: Digest = beside.DIGEST) -> None:
        """Let GitHub keep a signature."""
        bundle = json.loads(self.sigstore.sign_image(an_identity(), digest))
        self.github.before = always((200, {"attestations": [{"bundle": bundle}]}, {}))

    def proofs(self, *, in_registry: bool = True, source: str | None = None) -> Proofs:
        found = self.proving.proofs_of(beside.IMAGE, beside.DIGEST, in_registry=in_registry, source=source)
        assert found is not None
        return found


@pytest.fixture(name="places")
def fixture_places(tmp_path: Path) -> Iterator[Places]:
    sigstore = a_lab()
    root = tmp_path / "root.json"
    root.write_bytes(sigstore.trusted_root)
    with ExitStack() as stack:
        server, github = stack.enter_context(beside.serving_an_image()), stack.enter_context(fake_github())
        registry = stack.enter_context(beside.a_registry(server.url))
        attestations = GitHubAttestations(stack.enter_context(parts_for(github)).clients)
        proving = ArtifactProofs(registry, attestations, TrustFiles(trusted_root=root))
        github.before = always((200, {"attestations": []}, {}))
        yield Places(registry=server, github=github, proving=proving, sigstore=sigstore)


def test_an_image_of_no_configured_registry_has_no_proofs_and_no_absence_of_them(places: Places) -> None:
    with OciRegistry({}) as registry:
        proving = ArtifactProofs(registry, places.proving._attestations, TrustFiles())
        assert proving.proofs_of(beside.IMAGE, beside.DIGEST, source=REPO) is None
    assert places.github.requests == []


def test_what_both_places_have_is_verified_together(places: Places) -> None:
    places.push()
    places.keep()
    assert len(places.proofs(source=REPO).signatures) == 2


def test_only_the_places_that_are_to_be_asked_are_asked(places: Places) -> None:
    places.push()
    places.keep()
    assert len(places.proofs().signatures) == 1
    assert places.github.requests == []
    places.registry.asked.clear()
    assert len(places.proofs(in_registry=False, source=REPO).signatures) == 1
    assert places.registry.asked == []


@pytest.mark.invariant("I11")
def test_what_github_keeps_is_believed_no_more_than_what_lies_in_the_registry(places: Places) -> None:
    places.keep(digest=DIGEST)
    proofs = places.proofs(source=REPO)
    assert not proofs.signatures
    assert [one.reason for one in proofs.unproven] == ["Its statement is not about this image's digest."]


@pytest.mark.invariant("I5")
def test_one_place_that_does_not_answer_makes_nothing_known_whatever_the_other_has(places: Places) -> None:
    places.push()
    places.github.before = always(BAD_GATEWAY)
    with pytest.raises(Transient, match="GitHub failed"):
        places.proofs(source=REPO)
    places.keep()
    places.registry.plan(beside.referrers_path(beside.DIGEST), Response("", 503))
    with pytest.raises(Transient, match="registry"):
        places.proofs(source=REPO)
