"""What it costs to verify what lies beside an image: each kind, again from memory, and a large SBOM."""

from __future__ import annotations

import time
from collections.abc import Callable

from bot.adapters.found_proofs import Found
from bot.adapters.sigstore import SigstoreVerifier
from tests.adapters.sigstore.world import CI, IMAGE, MANIFEST, PROVENANCE, RELEASE_KEY, a_bundle, a_lab, a_verifier
from tests.bench.conftest import Show
from tests.bench.measure import render_table

TIMES = 100
PACKAGES = 10_000
SBOM = "https://spdx.dev/Document"


def test_what_verifying_costs(show: Show) -> None:
    lab = a_lab()
    packages = [
        {"SPDXID": f"SPDXRef-{n}", "name": f"package-{n}", "versionInfo": "1.2.3", "note": "x" * 300}
        for n in range(PACKAGES)
    ]
    large = a_bundle(lab.attest(CI, IMAGE, SBOM, {"packages": packages}))
    kinds: dict[str, tuple[int, Callable[[], Found]]] = {
        "statement, keyless": (TIMES, lambda: a_bundle(lab.attest(CI, IMAGE, PROVENANCE, {"a": 1}))),
        "manifest, keyless": (TIMES, lambda: a_bundle(lab.sign_digest(CI, MANIFEST))),
        "older layer, keyless": (TIMES, lambda: lab.sign_image_as_cosign(CI, IMAGE)),
        "statement, by key": (TIMES, lambda: a_bundle(lab.attest(RELEASE_KEY, IMAGE, PROVENANCE, {"a": 1}))),
        "older layer, by key": (TIMES, lambda: lab.sign_image_as_cosign(RELEASE_KEY, IMAGE)),
        f"bill of {PACKAGES:,} packages": (1, lambda: large),
    }
    rows = [row(name, [make() for _ in range(times)], a_verifier(lab)) for name, (times, make) in kinds.items()]
    show(render_table("Verifying what lies beside an image", ("what", "bytes", "ms each", "ms each again"), rows))


def row(name: str, found: list[Found], verifier: SigstoreVerifier) -> tuple[str, str, str, str]:
    """Return a line of the table: a first look at each, and a second one."""
    first, second = (milliseconds(lambda: verifier.verify(found, IMAGE)) / len(found) for _ in range(2))
    assert verifier.verify(found, IMAGE).unproven == ()
    one = found[0]
    size = len(getattr(one, "content", b"")) or len(getattr(one, "payload", b""))
    return name, f"{size:,}", f"{first:.2f}", f"{second:.3f}"


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long work takes."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000
