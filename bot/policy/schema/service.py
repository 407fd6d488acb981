"""The fields of a policy, from its top."""

from __future__ import annotations

from bot.domain.policy import CommitsBy
from bot.policy.parsing import API_VERSION
from bot.policy.resolving import DEFAULTS
from bot.policy.schema.calendars import A_CALENDAR
from bot.policy.schema.shapes import A_NAME, AN_IMAGE, REPOSITORY, TEXT, Fields, field, list_of, mapping, words
from bot.policy.schema.stages import A_STAGE

_GITOPS: Fields = {
    "repository": field(
        REPOSITORY,
        "The GitOps repository.",
        required=True,
    ),
    "branch": field(
        TEXT,
        "The branch that Argo CD follows.",
        default="main",
    ),
    "commits": field(
        words(*CommitsBy),
        "Who makes the bot's commits. `github` makes them through GitHub's API, which signs them when the bot "
        "runs as a GitHub App.",
        default="git",
    ),
}

POLICY_FIELDS: Fields = {
    "apiVersion": field(
        words(API_VERSION),
        "The version of this format.",
        required=True,
    ),
    "extends": field(
        words(DEFAULTS),
        "The file beside the policy from which it inherits: inheritance.",
    ),
    "service": field(
        A_NAME,
        "What the service is called, in pull requests, commits and commands. Two files never describe one service.",
        required=True,
    ),
    "image": field(
        AN_IMAGE,
        "The image whose tag moves.",
        required=True,
    ),
    "source": field(
        REPOSITORY,
        "The repository the image is built from. With it, pull requests link to the commits between two releases.",
    ),
    "gitops": field(
        mapping(_GITOPS),
        "Where it is written what should run.",
        required=True,
    ),
    "calendar": field(
        A_CALENDAR,
        "When releases may move, into any stage: the calendar.",
    ),
    "stages": field(
        list_of(A_STAGE, least=1),
        "The environments, at least one.",
        required=True,
    ),
}


A_POLICY = mapping(POLICY_FIELDS)
