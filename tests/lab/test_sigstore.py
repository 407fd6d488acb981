from __future__ import annotations

import json
from pathlib import Path

from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy

from bot.lab.clock import ManualClock
from bot.lab.sigstore import Fault, SigstoreLab
from tests.adapters.sigstore.world import CI, IMAGE, PROVENANCE, START, a_lab


def test_the_reference_library_accepts_a_bundle_by_the_trusted_root_alone(tmp_path: Path) -> None:
    lab = a_lab()
    file = tmp_path / "trusted_root.json"
    file.write_bytes(lab.trusted_root)
    verifier = Verifier(trusted_root=TrustedRoot.from_file(str(file)))
    bundle = Bundle.from_json(lab.attest(CI, IMAGE, PROVENANCE, {"a": 1}))
    signer = policy.AllOf([policy.Identity(identity=CI.subject), policy.OIDCIssuerV2(CI.issuer)])
    kind, payload = verifier.verify_dsse(bundle, signer)
    assert kind == "application/vnd.in-toto+json"
    assert json.loads(payload)["predicate"] == {"a": 1}


def test_the_same_world_signs_the_same_bytes() -> None:
    assert a_lab().trusted_root == a_lab().trusted_root
    assert a_lab().sign_image(CI, IMAGE) == a_lab().sign_image(CI, IMAGE)
    assert a_lab().sign_image_as_cosign(CI, IMAGE) == a_lab().sign_image_as_cosign(CI, IMAGE)


def test_another_seed_is_another_instance() -> None:
    assert SigstoreLab(ManualClock(START), seed="another").trusted_root != a_lab().trusted_root


def test_every_signature_has_a_key_and_an_entry_of_its_own() -> None:
    lab = a_lab()
    first, second = (json.loads(lab.sign_image(CI, IMAGE))["verificationMaterial"] for _ in range(2))
    assert first["certificate"] != second["certificate"]
    assert first["tlogEntries"][0]["logIndex"] != second["tlogEntries"][0]["logIndex"]


def test_a_fault_that_a_kind_cannot_have_leaves_it_whole() -> None:
    assert a_lab().sign_image_as_cosign(CI, IMAGE, Fault.BAD_CHECKPOINT) == a_lab().sign_image_as_cosign(CI, IMAGE)
