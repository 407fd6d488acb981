"""Who must have signed: a signer of the policy, and whether a signature that holds is theirs.

Decided on what the signing authority checked, field by field; the first field that differs is named. A shared workflow
alone is no identity: whoever may call it gets its name, so the source repository is asked for as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from bot.domain.model import Release
from bot.domain.proofs import Identity, Signature

_STAR = r"[^/@]+"
_LONGEST = 2048
_NUMBERED = re.compile(r"v(?=[0-9])")


@dataclass(frozen=True)
class Template:
    """A text with `{tag}`, `{version}` (the tag without a leading v) and `*`, which is one part of a path.

    `*` stands for one character or more, but never for `/` or `@`: so it cannot reach into the next part.
    """

    text: str

    @cached_property
    def _parts(self) -> tuple[str, ...]:
        return tuple(re.split(r"(\*|\{tag\}|\{version\})", self.text))

    def of_release(self, release: Release) -> str:
        """Return the text that is expected of a release, for people to read."""
        return "".join(_filled(part, release) for part in self._parts)

    def fits(self, value: str, release: Release) -> bool:
        """Say whether a value is the one that is expected of a release."""
        pattern = "".join(_STAR if part == "*" else re.escape(_filled(part, release)) for part in self._parts)
        return len(value) <= _LONGEST and re.fullmatch(pattern, value, re.DOTALL) is not None


def _filled(part: str, release: Release) -> str:
    return {"{tag}": release.tag, "{version}": _NUMBERED.sub("", release.tag, count=1)}.get(part, part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyless:
    """A signer with a certificate of a signing authority. What is None is not asked for.

    `repository` is the URL of the repository that was built, `repository_id` and `owner_id` the forge's numbers of it
    and of its owner; `triggers` and `runners` are the values that are allowed.
    """

    issuer: str
    identity: Template
    repository: str | None = None
    repository_id: str | None = None
    owner_id: str | None = None
    ref: Template | None = None
    triggers: tuple[str, ...] = ()
    runners: tuple[str, ...] = ()
    kind: Literal["keyless"] = "keyless"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """Whoever has the private key to the public key of that name in the settings."""

    key: str
    kind: Literal["key"] = "key"


Signer = Keyless | KeyHolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first field of a signature that is not what the signer's would be."""

    field: str
    found: str
    expected: str
    matched: int

    def __str__(self) -> str:
        return f"its {self.field} is {self.found}, not {self.expected}"


def differs(signer: Signer, signature: Signature, release: Release) -> Difference | None:
    """Return how a signature differs from the signer's; None if it is theirs."""
    for number, (field, found, expected, is_equal) in enumerate(_fields(signer, signature, release)):
        if not is_equal:
            return Difference(field=field, found=found or "not told", expected=expected, matched=number)
    return None


_Field = tuple[str, str | None, str, bool]


def _fields(signer: Signer, signature: Signature, release: Release) -> Iterator[_Field]:
    if isinstance(signer, KeyHolder):
        found = signature.key if signature.key is not None else "a certificate"
        yield "key", found, signer.key, signature.key == signer.key
    elif signature.identity is None:
        yield "signer", f"the key {signature.key}", signer.identity.of_release(release), False
    else:
        yield from _certified(signer, signature.identity, release)


def _certified(signer: Keyless, identity: Identity, release: Release) -> Iterator[_Field]:
    yield "issuer", identity.issuer, signer.issuer, identity.issuer == signer.issuer
    yield from _built(signer, identity)
    yield _named(identity.subject, signer.identity, release)
    if signer.ref is not None:
        yield _templated("source ref", identity.source_ref, signer.ref, release)
    yield from _circumstances(signer, identity)


def _templated(field: str, found: str | None, template: Template, release: Release) -> _Field:
    return field, found, template.of_release(release), found is not None and template.fits(found, release)


def _named(subject: str, template: Template, release: Release) -> _Field:
    """The name in the certificate. Of a workflow that is the right one at another ref, the refs tell it shorter."""
    field, found, expected, is_equal = _templated("identity", subject, template, release)
    (workflow, _, ref), (wanted, _, wanted_ref) = subject.rpartition("@"), expected.rpartition("@")
    if not is_equal and workflow == wanted and workflow.startswith("https://"):
        return "workflow's ref", ref, wanted_ref, False
    return field, found, expected, is_equal


def _built(signer: Keyless, identity: Identity) -> Iterator[_Field]:
    """What was built, and of whom."""
    asked = (
        ("source repository", identity.source_repository, signer.repository),
        ("source repository's number", identity.source_repository_id, signer.repository_id),
        ("source owner's number", identity.source_owner_id, signer.owner_id),
    )
    for field, found, expected in asked:
        if expected is not None:
            yield field, found, expected, found == expected


def _circumstances(signer: Keyless, identity: Identity) -> Iterator[_Field]:
    asked = (("trigger", identity.trigger, signer.triggers), ("runner", identity.runner, signer.runners))
    for field, found, allowed in asked:
        if allowed:
            yield field, found, " or ".join(allowed), found in allowed


def describe(signature: Signature) -> str:
    """Say who signed, as the certificate or the key tells it."""
    identity = signature.identity
    if identity is None:
        return f"the holder of the key {signature.key}"
    return f"{identity.subject} ({identity.issuer})"


def expected_of(signer: Signer, release: Release) -> str:
    """Say who should have signed."""
    if isinstance(signer, KeyHolder):
        return f"the holder of the key {signer.key}"
    return f"{signer.identity.of_release(release)} ({signer.issuer})"
