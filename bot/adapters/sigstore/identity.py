"""What a certificate says of its signer. Reads, and never decides: any signer at all is a fact."""

from __future__ import annotations

from cryptography.hazmat import asn1
from cryptography.x509 import (
    Certificate,
    ExtensionNotFound,
    ObjectIdentifier,
    RFC822Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    UnrecognizedExtension,
)

from bot.adapters.sigstore.refusals import BAD_EXTENSION, NO_ISSUER, NOT_ONE_SUBJECT, UNREADABLE, Refused
from bot.domain.proofs import Identity

_ARC = "1.3.6.1.4.1.57264.1."
ISSUER = ObjectIdentifier(_ARC + "8")
FIELDS = {
    "signer": ObjectIdentifier(_ARC + "9"),
    "signer_commit": ObjectIdentifier(_ARC + "10"),
    "runner": ObjectIdentifier(_ARC + "11"),
    "source_repository": ObjectIdentifier(_ARC + "12"),
    "source_commit": ObjectIdentifier(_ARC + "13"),
    "source_ref": ObjectIdentifier(_ARC + "14"),
    "source_repository_id": ObjectIdentifier(_ARC + "15"),
    "source_owner": ObjectIdentifier(_ARC + "16"),
    "source_owner_id": ObjectIdentifier(_ARC + "17"),
    "trigger": ObjectIdentifier(_ARC + "20"),
    "run": ObjectIdentifier(_ARC + "21"),
    "visibility": ObjectIdentifier(_ARC + "22"),
}
"""The fields of `Identity` and their object identifiers. Source: docs/oid-info.md of sigstore/fulcio."""


class ReadingPolicy:
    """The library's verification policy that lets every signer pass and remembers what its certificate says.

    One is made for each bundle. The library calls it once the certificate's chain holds; what it read is given out
    only then, so no bundle passes without its certificate's facts.
    """

    def __init__(self) -> None:
        self._identity: Identity | None = None

    def verify(self, cert: Certificate) -> None:
        """Read the certificate; raise `Refused` where it cannot be read."""
        self._identity = read_identity(cert)

    @property
    def identity(self) -> Identity:
        """What was read; raise `Refused` if nothing was."""
        if self._identity is None:
            raise Refused(UNREADABLE)
        return self._identity


def read_identity(certificate: Certificate) -> Identity:
    """Read the signer from a certificate; raise `Refused` without an issuer or without exactly one subject."""
    issuer = _read_text(certificate, ISSUER)
    if not issuer:
        raise Refused(NO_ISSUER)
    fields = {name: _read_text(certificate, identifier) for name, identifier in FIELDS.items()}
    return Identity(issuer=issuer, subject=_read_subject(certificate), **fields)


def _read_subject(certificate: Certificate) -> str:
    try:
        names = list(certificate.extensions.get_extension_for_class(SubjectAlternativeName).value)
    except ExtensionNotFound as error:
        raise Refused(NOT_ONE_SUBJECT) from error
    if len(names) != 1 or not isinstance(names[0], RFC822Name | UniformResourceIdentifier) or not names[0].value:
        raise Refused(NOT_ONE_SUBJECT)
    return names[0].value


def _read_text(certificate: Certificate, identifier: ObjectIdentifier) -> str | None:
    """An empty field says as little as none."""
    try:
        extension = certificate.extensions.get_extension_for_oid(identifier).value
    except ExtensionNotFound:
        return None
    if not isinstance(extension, UnrecognizedExtension):
        raise Refused(BAD_EXTENSION)
    try:
        return asn1.decode_der(str, extension.value) or None
    except ValueError as error:
        raise Refused(BAD_EXTENSION) from error
