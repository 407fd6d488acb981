"""Whom to trust: the authorities, the certificate logs and the transparency logs of one Sigstore instance.

Nothing here or beside it ever asks the network: the public instance's root comes with the library, a private one's is a
file of the settings. Keys change some times a year; a new release of the library, or of the file, brings them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import (
    Certificate,
    ExtendedKeyUsage,
    ExtensionNotFound,
    KeyUsage,
    load_der_x509_certificate,
)
from cryptography.x509.oid import ExtendedKeyUsageOID
from sigstore._internal.sct import verify_sct
from sigstore._internal.timestamp import TimestampSource, TimestampVerificationResult
from sigstore._internal.trust import KeyringPurpose
from sigstore.models import TransparencyLogEntry, TrustedRoot
from sigstore.verify import Verifier
from sigstore_models.rekor.v1 import TransparencyLogEntry as LoggedModel
from sigstore_models.trustroot.v1 import CertificateAuthority, TransparencyLogInstance
from sigstore_models.trustroot.v1 import TrustedRoot as TrustedRootModel

from bot.adapters.sigstore.keys import Key, NamedKey
from bot.adapters.sigstore.refusals import (
    LOG_NOT_IN_SERVICE,
    NOT_FOR_CODE,
    NOT_VALID_THEN,
    UNKNOWN_LOG,
    UNTRUSTED_AUTHORITY,
    Refused,
)

_MOST_BYTES = 1024 * 1024
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_PUBLIC_INSTANCE = "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"


class BadTrustRoot(ValueError):
    """A file that is no trusted root of a Sigstore instance. The message is fit for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A transparency log: its host, its key, and the time for which it is trusted (None: without an end)."""

    host: str
    key: Key = field(repr=False)
    since: datetime
    until: datetime | None = None

    def require_in_service(self, at: datetime) -> None:
        """Raise `Refused` for an instant at which this log is not trusted."""
        if at < self.since or (self.until is not None and at > self.until):
            raise Refused(LOG_NOT_IN_SERVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority: its certificates, and the time for which it is trusted (None: without an end)."""

    certificates: tuple[Certificate, ...] = field(repr=False)
    since: datetime
    until: datetime | None = None

    def is_in_time_for(self, certificate: Certificate) -> bool:
        """Say whether this authority was trusted when a certificate was issued."""
        at = certificate.not_valid_before_utc
        return self.since <= at and (self.until is None or at <= self.until)

    def issued(self, certificate: Certificate) -> bool:
        """Say whether this authority issued a certificate: by its keys, as the next one often has the same name."""
        return any(_is_issued_by(certificate, issuer) for issuer in self.certificates)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRoot:
    """A trusted root that was read: the library's verifier on it, its logs by their ids, and the hash of its bytes."""

    sha256: bytes
    verifier: Verifier = field(repr=False)
    logs: Mapping[bytes, Log] = field(repr=False)
    authorities: tuple[Authority, ...] = field(repr=False)
    root: TrustedRoot = field(repr=False)

    def log_of(self, identifier: bytes) -> Log:
        """Return the log of an id; raise `Refused` for one that is not known."""
        log = self.logs.get(identifier)
        if log is None:
            raise Refused(UNKNOWN_LOG)
        return log

    def require_issued_in_time(self, certificate: Certificate) -> None:
        """Raise `Refused` for a certificate that a retired authority issued after its time, which the library lets be.

        This is beside the verification of the chain and never in place of it.
        """
        late = [one for one in self.authorities if not one.is_in_time_for(certificate)]
        if not any(authority.issued(certificate) for authority in late):
            return
        if not any(one.issued(certificate) for one in self.authorities if one not in late):
            raise Refused(UNTRUSTED_AUTHORITY)

    def require_certified(self, certificate: Certificate, at: datetime) -> None:
        """Raise unless a trusted authority issued a certificate that is for code, valid then, and in a certificate log.

        These are the library's own checks, for what it cannot take as a bundle; it gives them no public name.
        """
        require_valid(certificate, at)
        self.require_issued_in_time(certificate)
        signed = TimestampVerificationResult(source=TimestampSource.TRANSPARENCY_SERVICE, time=at)
        chain = self.verifier._verify_chain_at_time(certificate, signed)  # noqa: SLF001
        verify_sct(certificate, chain, self.root.ct_keyring(KeyringPurpose.VERIFY))
        if not _is_for_code(certificate):
            raise Refused(NOT_FOR_CODE)

    def require_logged(self, entry: LoggedModel) -> None:
        """Raise unless a log entry's proof, checkpoint and, if there is one, promise are of a trusted log."""
        logged = TransparencyLogEntry(entry)
        logged._verify(self.root.rekor_keyring(KeyringPurpose.VERIFY))  # noqa: SLF001  # as above


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """Whom the settings trust: the root of an instance, public keys by name, or both."""

    root: TrustRoot | None = None
    keys: tuple[NamedKey, ...] = ()


def public_trust_root() -> TrustRoot:
    """Return the root of the public instance as the library brings it, not what a cache on this machine may hold."""
    folder = files("sigstore._store").joinpath(_PUBLIC_INSTANCE)
    return parse_trust_root(folder.joinpath("trusted_root.json").read_bytes())


def parse_trust_root(content: bytes) -> TrustRoot:
    """Read a `trusted_root.json`; raise `BadTrustRoot` where it is none, or one that nothing can be verified with."""
    if len(content) > _MOST_BYTES:
        raise BadTrustRoot("the trusted root is too large to be one")
    try:
        model = TrustedRootModel.from_json(content)
        root = TrustedRoot(_without_beginnings(content))
        verifier = Verifier(trusted_root=root)
        logs = {one.log_id.key_id: _log(one) for one in model.tlogs}
        authorities = tuple(_authority(one) for one in model.certificate_authorities)
        root.rekor_keyring(KeyringPurpose.VERIFY)
        root.ct_keyring(KeyringPurpose.VERIFY)
    except Exception as error:  # the library raises many kinds, which mean the same here
        raise BadTrustRoot(
            "the trusted root is no trusted_root.json with authorities, certificate logs and transparency logs"
        ) from error
    return TrustRoot(
        sha256=hashlib.sha256(content).digest(), verifier=verifier, logs=logs, authorities=authorities, root=root
    )


def _without_beginnings(content: bytes) -> TrustedRootModel:
    """Return the root as the library is to have it: with keys and authorities that were always trusted.

    It leaves out those whose time begins after this machine's present, so that what is proven would depend on a clock.
    Their times are compared with the time of signing here, and a timestamp authority's by the library.
    """
    model = TrustedRootModel.from_json(content)
    for log in (*model.tlogs, *model.ctlogs):
        if log.public_key.valid_for is not None:
            log.public_key.valid_for.start = _ALWAYS
    for authority in model.certificate_authorities:
        authority.valid_for.start = _ALWAYS
    return model


def require_valid(certificate: Certificate, at: datetime) -> None:
    """Raise `Refused` for a certificate that was not valid at an instant."""
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise Refused(NOT_VALID_THEN)


def _log(model: TransparencyLogInstance) -> Log:
    key = load_der_public_key(model.public_key.raw_bytes or b"")
    if not isinstance(key, Key):
        raise BadTrustRoot("a transparency log's key is of a kind that is not used")
    served = model.public_key.valid_for
    if served is None:
        raise BadTrustRoot("a transparency log's key has no time for which it is valid")
    # Entries are stamped in whole seconds.
    since = served.start.replace(microsecond=0)
    return Log(host=urlsplit(model.base_url).hostname or "", key=key, since=since, until=served.end)


def _authority(model: CertificateAuthority) -> Authority:
    certificates = tuple(load_der_x509_certificate(one.raw_bytes) for one in model.cert_chain.certificates)
    # Certificates are stamped in whole seconds, too.
    since = model.valid_for.start.replace(microsecond=0)
    return Authority(certificates=certificates, since=since, until=model.valid_for.end)


def _is_issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_for_code(certificate: Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(KeyUsage).value
        extended = certificate.extensions.get_extension_for_class(ExtendedKeyUsage).value
    except ExtensionNotFound:
        return False
    return usage.digital_signature and ExtendedKeyUsageOID.CODE_SIGNING in extended
