"""What is known of a release's artifact: the bytes the tag means, and what was proven of them as the policy asks."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.model import Release
from bot.domain.verdicts import ArtifactEvidence, Verdict
from bot.render.escape import code, plain
from bot.render.evidence import verdict_word

_SHORT = 12
_MOST_ROWS = 30
_HEAD = "| asked for | verdict | found | expected |\n|---|---|---|---|"


def artifact_section(release: Release, verdicts: Sequence[Verdict]) -> str:
    """Return the digest and a row for each proof that the policy asks for; where it asks for none, what is unknown."""
    bytes_are = (
        f"The tag means {_digest(release)}; a tag that moves later is noticed."
        if release.digest
        else "**The digest is not known**, so nobody can say which bytes the tag means."
    )
    if verdicts:
        return f"### Artifact\n\n{bytes_are}\n\n{artifact_table(verdicts)}"
    origin = (
        "Its source commit is what the image's own label says; nobody has proved it."
        if release.revision
        else "The image names no source commit."
    )
    return f"### Artifact\n\n{bytes_are} {origin} The policy asks for no signature and no provenance."


def artifact_table(verdicts: Sequence[Verdict]) -> str:
    """Return a row for each proof: its verdict, who signed, and who should have."""
    rows = [_row(verdict) for verdict in verdicts[:_MOST_ROWS]]
    more = len(verdicts) - _MOST_ROWS
    return "\n".join([_HEAD, *rows]) + (f"\n\n{more} more are asked for." if more > 0 else "")


def _row(verdict: Verdict) -> str:
    evidence = verdict.evidence
    found, expected = plain(verdict.reason), "–"
    if isinstance(evidence, ArtifactEvidence):
        found = "<br>".join([found, *(code(line) for line in evidence.found)])
        expected = "<br>".join(code(line) for line in evidence.expected) or expected
    return f"| {code(verdict.gate)} | {verdict_word(verdict)} | {found} | {expected} |"


def _digest(release: Release) -> str:
    return code(release.digest[: len("sha256:") + _SHORT]) if release.digest else "not known"
