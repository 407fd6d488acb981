"""What can be wrong with a signature of the lab, by name."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """One thing that is wrong; everything else is as it should be.

    Not every kind of signature can have every fault: a layer has no inclusion proof, a message no envelope. It is then
    whole.
    """

    OTHER_AUTHORITY = "the certificate is from an authority of the same names with other keys"
    EXPIRED = "it came into the log an hour after it was signed"
    NOT_FOR_CODE = "the certificate is for a server"
    NO_SCT = "the certificate was given to no certificate log"
    BAD_SCT = "the certificate log signed for another instant"
    NO_ISSUER = "the certificate does not say who vouched for the signer"
    NO_SUBJECT = "the certificate names a host in place of a signer"
    TWO_SUBJECTS = "the certificate names two signers"
    BAD_FIELD = "a field of the certificate is no text"
    NO_LOG_ENTRY = "it has no log entry"
    ONLY_TIMESTAMP = "it has a timestamp in place of a log entry"
    TWO_LOG_ENTRIES = "it has two log entries"
    OTHER_LOG = "it is in a log of the same host with another key"
    BAD_PROMISE = "the log's promise is for another index"
    NO_PROMISE = "the log promised nothing, so nothing tells the time"
    NO_INCLUSION_PROOF = "the log entry is promised, not proven"
    BAD_INCLUSION_PROOF = "the proof of inclusion is another entry's"
    BAD_CHECKPOINT = "the log's checkpoint was signed over another tree"
    OTHER_TREE_SIZE = "the proof of inclusion names another size of the tree than its checkpoint"
    OTHER_ENTRY = "the log entry is of another signature by the same signer"
    BAD_SIGNATURE = "the signature is over other bytes"
    TWO_SIGNATURES = "the envelope has the signature twice"
    NO_SIGNATURE = "the envelope has no signature"
