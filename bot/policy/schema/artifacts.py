"""The fields of `artifact`: what must be proven of an image."""

from __future__ import annotations

from bot.domain.policy import ProofsIn
from bot.policy.schema.shapes import (
    A_NAME,
    ANYTHING,
    DURATION,
    TEXT,
    Fields,
    Shape,
    field,
    list_of,
    mapping,
    mapping_by,
    number,
    one_of_keys,
    whole,
    words,
)

_OF_SIGNERS: Fields = {
    "identity": field(
        TEXT,
        "The name in the certificate, in full: a workflow with its ref, or a mail address. Host, owner and "
        "name have no places.",
    ),
    "issuer": field(
        TEXT,
        "Who vouched for that name.",
        default="https://token.actions.githubusercontent.com",
    ),
    "repository": field(
        TEXT,
        "What was built, as the certificate says. To be named where a shared workflow builds: its name alone "
        "says nothing of whose code it was.",
    ),
    "repository_id": field(
        whole(0),
        "The forge's number of that repository. A name can be registered anew by somebody else, a number cannot.",
    ),
    "owner_id": field(
        whole(0),
        "The forge's number of its owner.",
    ),
    "ref": field(
        TEXT,
        "The ref that was built.",
    ),
    "triggers": field(
        list_of(TEXT),
        "What may have started the build.",
    ),
    "runners": field(
        list_of(TEXT),
        "Where it may have run.",
    ),
    "key": field(
        A_NAME,
        "A public key of the settings, in place of all the others.",
    ),
}


_SIGNER = mapping(_OF_SIGNERS, **one_of_keys("identity", "key"), dependentSchemas={"key": {"maxProperties": 1}})
_OF_CONDITIONS: Fields = {
    "path": field(
        TEXT,
        "Where. `[]` goes through a list. A path that leads nowhere is never met.",
        required=True,
    ),
    "is": field(
        ANYTHING,
        "Every value there is this.",
    ),
    "one_of": field(
        list_of(ANYTHING, least=1),
        "Every value there is one of these.",
    ),
    "none_of": field(
        list_of(ANYTHING, least=1),
        "No value there is one of these. A list that is there and empty is fine.",
    ),
    "at_most": field(
        number(),
        "Every value there is a number, and not above this.",
    ),
    "at_least": field(
        number(),
        "Every value there is a number, and not below this.",
    ),
}


_CONDITION = mapping(_OF_CONDITIONS, **one_of_keys("is", "one_of", "none_of", "at_most", "at_least"))
_OF_REQUIREMENTS: Fields = {
    "name": field(
        A_NAME,
        "What it is called.",
    ),
    "signer": field(
        _SIGNER,
        "Who must have signed this one. Not with `checks`.",
    ),
    "builder": field(
        TEXT,
        "With `provenance`: the builder's id.",
    ),
    "type": field(
        TEXT,
        "The predicate's type.",
    ),
    "newer_than": field(
        DURATION,
        "With `attestation`: how old it may be.",
    ),
    "at": field(
        TEXT,
        "Since when its age counts.",
    ),
    "where": field(
        list_of(_CONDITION),
        "With `attestation`: what must be so in the predicate, all of it.",
    ),
    "names": field(
        list_of(TEXT, least=1),
        "The checks or statuses that must have passed, on the commit that a certificate names, or else the "
        "image's label.",
    ),
    "app": field(
        whole(1),
        "With `checks`: the GitHub App that must have reported them; statuses do not count then. Name it "
        "where others may write to the source repository.",
    ),
}

_KINDS = {
    "signature": ("name", "signer"),
    "provenance": ("name", "signer", "builder"),
    "attestation": ("name", "signer", "type", "newer_than", "at", "where"),
    "checks": ("name", "names", "app"),
}
_NEEDED = {"attestation": ("name", "type"), "checks": ("names",)}
"""Which fields each kind of requirement has, and which of them it must have."""


def _requirement() -> Shape:
    kinds = {
        kind: mapping(
            {"use": field({}), **{key: _OF_REQUIREMENTS[key] for key in keys}}, required=["use", *_NEEDED.get(kind, ())]
        )
        for kind, keys in _KINDS.items()
    }
    return mapping_by(
        "use",
        kinds,
        "What it is: a signature of the image; SLSA provenance (v0.2 or v1); any other attestation; checks of "
        "the source commit.",
    )


_ARTIFACT: Fields = {
    "signer": field(
        _SIGNER,
        "Who must have signed: an `identity`, or a `key`.",
    ),
    "found_in": field(
        list_of(words(*ProofsIn), least=1),
        "Where proofs are looked for: beside the image, or among the attestations that GitHub keeps of the "
        "policy's `source`, which is then required. All places that are named must answer.",
    ),
    "log": field(
        words("required", "optional"),
        "Whether a signature must be in the transparency log. One with a certificate always must.",
        default="required",
    ),
    "require": field(
        list_of(_requirement(), least=1),
        "What must be proven, at least one. In commands each is called `artifact-NAME`.",
        required=True,
    ),
}


AN_ARTIFACT = mapping(_ARTIFACT)
