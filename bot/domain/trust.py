"""What must be proven of an artifact before its release enters a stage: the rules of `artifact`, and what they read.

Rules are judged in `bot.domain.gates.artifact`. What of a statement they look at is cut out here, once, before anything
is kept: a list of all parts of an image may be megabytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from bot.domain.proofs import Attested, Json, Proofs, Proven, Scalar, Statement
from bot.domain.signers import Signer, Template

PROVENANCE_TYPES = ("https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2")
BUILDER = ("runDetails.builder.id", "builder.id")
SOURCE = ("buildDefinition.externalParameters.workflow.repository", "invocation.configSource.uri")
REF = ("buildDefinition.externalParameters.workflow.ref", "invocation.environment.github_ref")
COMMIT = (
    "buildDefinition.resolvedDependencies[].digest.gitCommit",
    "invocation.configSource.digest.sha1",
)
_PROVENANCE_PATHS = (*BUILDER, *SOURCE, *REF, *COMMIT)
_MOST_VALUES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureRule:
    """The artifact itself must be signed by the signer, and the transparency log must say so unless it need not."""

    name: str
    signer: Signer
    must_be_logged: bool = True
    title: str = "the artifact is signed by whom the policy names"
    kind: Literal["signature"] = "signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceRule:
    """The signer must have attested how it was built: by `builder`, if that is asked for."""

    name: str
    signer: Signer
    must_be_logged: bool = True
    builder: Template | None = None
    title: str = "it was built where the policy says"
    kind: Literal["provenance"] = "provenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What must be so at a path of a predicate. Exactly one of the others is set.

    `one_of`: there are values, and each is one of these. `none_of`: what the path leads through is there, and none of
    its values is one of these. `at_most` and `at_least`: there are values, all numbers, and none is beyond.
    """

    path: str
    one_of: tuple[Scalar, ...] | None = None
    none_of: tuple[Scalar, ...] | None = None
    at_most: float | None = None
    at_least: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationRule:
    """The signer must have attested something of a type, that is no older than `newer_than` and as `where` says.

    Its age counts from the instant at the path `at`, or from its log entry where no path is named.
    """

    name: str
    signer: Signer
    predicate_type: str
    must_be_logged: bool = True
    newer_than: timedelta | None = None
    at: str | None = None
    where: tuple[Condition, ...] = ()
    title: str = "the policy's attestation is there"
    kind: Literal["attestation"] = "attestation"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRule:
    """Named checks of the source commit must have passed: those that one app reported, if its number is given.

    Anybody who may write to the source repository can report a check of any name, but not as an app of another's.
    """

    name: str
    checks: tuple[str, ...]
    app: int | None = None
    title: str = "the checks of the source commit have passed"
    kind: Literal["build"] = "build"


SignedRule = SignatureRule | ProvenanceRule | AttestationRule
TrustRule = SignedRule | BuildRule


def proven(proofs: Proofs, rules: Sequence[TrustRule]) -> Proven:
    """Keep of the proofs what the rules look at."""
    paths = _paths(rules)
    attested = (_attested(one, paths[one.predicate_type]) for one in proofs.statements if one.predicate_type in paths)
    return Proven(
        digest=proofs.digest, signatures=proofs.signatures, attested=tuple(attested), unproven=proofs.unproven
    )


def _paths(rules: Iterable[TrustRule]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for rule in rules:
        if isinstance(rule, ProvenanceRule):
            for kind in PROVENANCE_TYPES:
                found.setdefault(kind, []).extend(_PROVENANCE_PATHS)
        elif isinstance(rule, AttestationRule):
            asked = [condition.path for condition in rule.where]
            found.setdefault(rule.predicate_type, []).extend([*asked, *([rule.at] if rule.at is not None else [])])
    return {kind: tuple(dict.fromkeys(paths)) for kind, paths in found.items()}


def _attested(statement: Statement, paths: Sequence[str]) -> Attested:
    return Attested(
        signature=statement.signature,
        predicate_type=statement.predicate_type,
        values={path: values_at(statement.predicate, path) for path in paths},
    )


class _LeadsNowhere(Exception):
    """A path of a policy that a predicate does not have."""


def values_at(predicate: Mapping[str, Json], path: str) -> tuple[Scalar, ...] | None:
    """Return the values at a path such as `results[].severity`, each once; None where it leads nowhere.

    `[]` goes into each element of a list. A list that is empty, or is not there inside of another's element, has no
    values; but where anything lacks the last name of the path, it leads nowhere: a name that was misspelt, or has been
    changed, must not look like a list without findings. So does one with more than 200 different values.
    """
    try:
        found = dict.fromkeys(_walk(predicate, path.split(".")))
    except _LeadsNowhere:
        return None
    return None if len(found) > _MOST_VALUES else tuple(value for _, value in found)


def _walk(value: Json, parts: Sequence[str], *, in_list: bool = False) -> Iterator[tuple[type, Scalar]]:
    if not parts:
        if isinstance(value, Mapping | tuple):
            raise _LeadsNowhere
        # A type of its own, since 1 and true are equal here.
        yield type(value), value
        return
    name, is_list = parts[0].removesuffix("[]"), parts[0].endswith("[]")
    if not isinstance(value, Mapping):
        raise _LeadsNowhere
    if name not in value:
        if in_list and is_list:
            return
        raise _LeadsNowhere
    inner = value[name]
    if not is_list:
        yield from _walk(inner, parts[1:], in_list=in_list)
        return
    if not isinstance(inner, tuple):
        raise _LeadsNowhere
    for element in inner:
        yield from _walk(element, parts[1:], in_list=True)
