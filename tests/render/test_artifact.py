"""What is said of a release's artifact: only what is known, and of each proof who signed and who should have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.gates.artifact import judge_artifact
from bot.domain.model import Release
from bot.domain.proofs import Proven, Unproven
from bot.domain.verdicts import Verdict, VerdictKind
from bot.render.artifact import artifact_section, artifact_table
from tests.builders import IMAGE, NEW
from tests.render.hostile import HOSTILE, acting, hidden, structure
from tests.render.views import AFTER
from tests.trusted import DIGEST, ISSUER, RELEASE, WORKFLOW, a_signature, a_signature_rule, a_subject, proven_of


def verdicts_of(proven: Proven | None) -> tuple[Verdict, ...]:
    return judge_artifact((a_signature_rule(),), a_subject(proven))


@pytest.mark.parametrize(
    ("release", "said"),
    [
        (AFTER, ["`sha256:222222222222`", "nobody has proved it", "asks for no signature"]),
        (
            Release(image=IMAGE, tag=NEW),
            ["**The digest is not known**", "names no source commit", "asks for no signature"],
        ),
    ],
)
def test_where_the_policy_asks_for_nothing_only_what_is_known_is_said(release: Release, said: list[str]) -> None:
    shown = artifact_section(release, ())
    assert all(words in shown for words in said)


def test_a_proof_is_shown_with_who_signed_and_who_should_have() -> None:
    wrong = a_signature(subject=f"{WORKFLOW}@refs/heads/main")
    shown = artifact_section(RELEASE, verdicts_of(proven_of(wrong)))
    assert shown.startswith(
        f"### Artifact\n\nThe tag means `{DIGEST[:19]}`; a tag that moves later is noticed.\n\n| asked for |"
    )
    (row,) = [line for line in shown.splitlines() if line.startswith("| `artifact-signature`")]
    assert "❌\u00a0unhealthy" in row
    assert f"<br>`{WORKFLOW}@refs/heads/main ({ISSUER})`<br>" in row
    assert row.endswith(f"| `{WORKFLOW}@refs/tags/v1.9.0 ({ISSUER})`<br>`source https://github.com/acme/checkout` |")
    assert "asks for no signature" not in shown


def test_what_cannot_be_told_has_no_evidence_beside_its_reason() -> None:
    (row,) = [line for line in artifact_table(verdicts_of(None)).splitlines() if "artifact-signature" in line]
    assert row.endswith("no registry is set up for this image, so nothing can be verified | – |")


@pytest.mark.invariant("I12")
@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_strangers_are_nothing_but_text(text: str) -> None:
    def shown(words: str) -> str:
        signature = a_signature(subject=words, issuer=words, source_repository=words, source_ref=words, trigger=words)
        broken = proven_of(unproven=(Unproven(found=DIGEST, reason=words),))
        both = (*verdicts_of(proven_of(signature)), *verdicts_of(broken))
        return artifact_section(replace(RELEASE, tag=words), both)

    assert structure(shown(text)) == structure(shown("harmless"))
    assert acting(shown(text)) == acting(shown("harmless"))
    assert hidden(shown(text)) == hidden(shown("harmless"))


def test_no_more_than_thirty_rows_are_shown_and_it_is_said_how_many_are_not() -> None:
    many = [Verdict(gate=f"artifact-{number}", kind=VerdictKind.HEALTHY, reason="fine") for number in range(31)]
    shown = artifact_table(many)
    assert shown.count("| `artifact-") == 30
    assert shown.endswith("1 more are asked for.")
