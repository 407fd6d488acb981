"""Why something that was found proves nothing: sentences of our own, so that no outside text comes through.

The library tells what it refused in English texts, some of which quote the bundle. They are only sorted here: a text
that is not known becomes a general sentence, never an acceptance.
"""

from __future__ import annotations


class Refused(Exception):
    """What was found proves nothing. `sentence` is fit for people and quotes nothing of what was found."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


NO_JSON = "It is no JSON, or not the kind that one writer and one reader understand alike."
UNREADABLE = "It could not be read as a signature of any known form."
TOO_LARGE = "It is too large to be looked at."
TOO_DEEP = "It is nested too deep to be looked at."
MALFORMED = "It is not a well-formed Sigstore bundle."
UNKNOWN_MEDIA_TYPE = "It is not a Sigstore bundle of a known version."
ONLY_TIMESTAMP = (
    "It has no entry in a transparency log, only the timestamp of a timestamp authority, and such a bundle cannot be"
    " verified yet."
)
NO_LOG_ENTRY = "It has no entry in a transparency log."
MANY_LOG_ENTRIES = "It has more than one entry in transparency logs, where exactly one is read."
UNKNOWN_LOG = "Its log entry is in a log that the trust root does not know."
LOG_NOT_IN_SERVICE = "Its log entry is of a time at which the trust root does not trust that log."
NO_INCLUSION_PROOF = "Its log entry has no proof that the log includes it."
BAD_INCLUSION_PROOF = "The proof that the log includes its entry does not hold."
BAD_CHECKPOINT = "The log's checkpoint in its log entry does not hold."
BAD_PROMISE = "The log's signed promise in its log entry does not hold."
NO_PROMISE = "Its log entry cannot be read: it has no signed promise of the log."
OTHER_ENTRY = "Its log entry is of another signature."
UNKNOWN_ENTRY = "Its log entry is of a kind that is not read."
NO_TIME = "Nothing that is trusted tells when it was signed."
NO_CERTIFICATE = "It has no certificate, where one is needed."
BAD_CERTIFICATE = "Its certificate cannot be read."
NOT_VALID_THEN = "Its certificate was not valid when it signed."
UNTRUSTED_AUTHORITY = "Its certificate was not issued by an authority that the trust root knows, or not for that time."
NO_SCT = "Its certificate does not show that a certificate log has it."
BAD_SCT = "The sign that a certificate log has its certificate does not hold."
NOT_FOR_CODE = "Its certificate is not one for signing code."
NO_ISSUER = "Its certificate does not say who vouched for the signer."
NOT_ONE_SUBJECT = "Its certificate does not name exactly one signer."
BAD_EXTENSION = "Its certificate has a field that cannot be read."
NO_TRUST_ROOT = "It is signed with a certificate, and no trust root is set."
NO_KEYS = "It is signed with a key, and no public key is set."
NOT_OUR_KEY = "It is not signed with any of the public keys that are set."
BAD_SIGNATURE = "The signature does not hold."
NOT_ONE_SIGNATURE = "Its envelope does not have exactly one signature."
NO_SIGNATURE = "It has no signature."
OTHER_PAYLOAD = "It signs something other than an in-toto statement."
NO_STATEMENT = "What it signs is not an in-toto statement of a known version."
NO_SUBJECT = "Its statement is about nothing: it has no subject."
MANY_SUBJECTS = "Its statement is about more things than are looked at."
OTHER_SUBJECT = "Its statement is not about this image's digest."
NOT_SIMPLE_SIGNING = "What it signs is not a signature of a container image."
OTHER_DIGEST = "It signs another digest than this image's."

# How a text of the library begins, or what it has in it, and what that means; the first that fits is taken.
_SENTENCES = (
    ("failed to load bundle", MALFORMED),
    ("entry must contain inclusion proof", NO_INCLUSION_PROOF),
    ("not enough sources of verified time", NO_TIME),
    ("bundle must contain an inclusion promise or", NO_TIME),
    ("failed to build timestamp certificate chain", UNTRUSTED_AUTHORITY),
    ("no Timestamp Authorities have been provided", NO_TIME),
    ("Certificate does not contain a signed certificate timestamp", NO_SCT),
    ("Expected one certificate timestamp, found 0", NO_SCT),
    ("SCT verify", BAD_SCT),
    ("failed to verify SCT", BAD_SCT),
    ("Expected one certificate timestamp", BAD_SCT),
    ("algorithm in SCT", BAD_SCT),
    ("Key usage is not", NOT_FOR_CODE),
    ("Extended usage does not", NOT_FOR_CODE),
    ("invalid log entry: SET", BAD_PROMISE),
    ("SET: invalid", BAD_PROMISE),
    ("invalid log entry: inclusion proof", BAD_INCLUSION_PROOF),
    ("inclusion proof", BAD_INCLUSION_PROOF),
    ("checkpoint: ", BAD_CHECKPOINT),
    ("malformed LogCheckpoint", BAD_CHECKPOINT),
    ("malformed Note", BAD_CHECKPOINT),
    ("note must contain", BAD_CHECKPOINT),
    ("Inclusion proof contains invalid root hash", BAD_CHECKPOINT),
    ("invalid signing cert: expired", NOT_VALID_THEN),
    ("DSSE: invalid signature", BAD_SIGNATURE),
    ("Bundle message digest mismatch", OTHER_DIGEST),
    ("Signature is invalid for input", BAD_SIGNATURE),
    ("log entry payload hash", OTHER_ENTRY),
    ("log entry signatures", OTHER_ENTRY),
    ("transparency log entry is inconsistent", OTHER_ENTRY),
    ("invalid DSSE log entry", OTHER_ENTRY),
    ("Integrated time only supported for", UNKNOWN_ENTRY),
    ("Unsupported DSSE log entry type", UNKNOWN_ENTRY),
    ("Expected entry type hashedrekord", UNKNOWN_ENTRY),
    ("Unsupported hashedrekord version", UNKNOWN_ENTRY),
    ("Expected log entry version", UNKNOWN_ENTRY),
    ("envelope must contain exactly one signature", NOT_ONE_SIGNATURE),
    ("envelope signature must be non-empty", NO_SIGNATURE),
    ("bundle contains an invalid leaf", BAD_CERTIFICATE),
    ("expected certificate", NO_CERTIFICATE),
)


def sentence_for(error: BaseException) -> str:
    """Return the sentence for whatever was raised while something that was found was looked at."""
    if isinstance(error, Refused):
        return error.sentence
    if isinstance(error, RecursionError):
        return TOO_DEEP
    text = str(error)
    return next((sentence for part, sentence in _SENTENCES if part in text), UNREADABLE)
