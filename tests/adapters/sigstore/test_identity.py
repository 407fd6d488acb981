from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes

from bot.adapters.sigstore.identity import FIELDS, ISSUER, ReadingPolicy, read_identity
from bot.adapters.sigstore.refusals import Refused
from bot.domain.proofs import Identity
from tests.adapters.sigstore.sentences import BAD_FIELD, NO_ISSUER, NOT_ONE
from tests.adapters.sigstore.world import OTHER_KEY, START

WHO = x509.SubjectAlternativeName([x509.RFC822Name("release@example.com")])


def a_certificate(*extensions: x509.ExtensionType) -> x509.Certificate:
    builder = x509.CertificateBuilder(x509.Name([]), x509.Name([]), OTHER_KEY.public_key(), 7)
    builder = builder.not_valid_before(START).not_valid_after(START + timedelta(minutes=10))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(OTHER_KEY, hashes.SHA256())


def a_field(identifier: x509.ObjectIdentifier, text: str) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(identifier, asn1.encode_der(text))


def test_a_field_that_is_empty_says_as_little_as_none() -> None:
    certificate = a_certificate(WHO, a_field(ISSUER, "https://issuer.example"), a_field(FIELDS["source_ref"], ""))
    assert read_identity(certificate) == Identity(issuer="https://issuer.example", subject="release@example.com")


@pytest.mark.parametrize(
    ("extensions", "reason"),
    [
        ([WHO], NO_ISSUER),
        ([WHO, a_field(ISSUER, "")], NO_ISSUER),
        ([WHO, a_field(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1"), "https://issuer.example")], NO_ISSUER),
        ([WHO, x509.UnrecognizedExtension(ISSUER, b"https://issuer.example")], BAD_FIELD),
        ([WHO, x509.UnrecognizedExtension(ISSUER, b"\x0c\x02ab\x00")], BAD_FIELD),
        ([a_field(ISSUER, "https://issuer.example")], NOT_ONE),
        ([a_field(ISSUER, "i"), x509.SubjectAlternativeName([x509.UniformResourceIdentifier("")])], NOT_ONE),
        ([a_field(ISSUER, "i"), x509.SubjectAlternativeName([x509.DNSName("a.example")])], NOT_ONE),
    ],
)
def test_a_certificate_that_does_not_tell_one_signer_is_refused(
    extensions: list[x509.ExtensionType], reason: str
) -> None:
    with pytest.raises(Refused) as caught:
        read_identity(a_certificate(*extensions))
    assert caught.value.sentence == reason


def test_a_certificate_that_was_never_read_has_no_facts_to_give() -> None:
    with pytest.raises(Refused):
        _ = ReadingPolicy().identity
