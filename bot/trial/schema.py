"""The format of test files as JSON Schema (2020-12), by which editors complete and validate.

As with policies, the reader decides, and tests hold the two and docs/policy-tests.md against each other: the same keys
and the same sentences, and nothing that is read is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.decision import State, WaitsOn
from bot.domain.verdicts import VerdictKind
from bot.policy.schema.shapes import DURATION, FLAG, TEXT, Field, Shape, either, field, list_of, mapping, text, words
from bot.trial.cases import Act, Syncs
from bot.trial.expectations import DEEDS, PULL_REQUEST
from bot.trial.happenings import HEALTHS
from bot.trial.names import TAG
from bot.trial.people import LOGIN, ROLES

_TAG, _PERSON = text(TAG), text(LOGIN)
_AT = field(DURATION, "When, from the start of the test.", required=True)
_STAGE = field(TEXT, "The stage. It may be left out where only one can be meant.")


def _named(shape: Shape) -> Shape:
    """Return the shape of a mapping with any keys."""
    return {"type": "object", "additionalProperties": shape}


# --- what a test begins with -----------------------------------------------------------------------------------------

_SERIES = mapping(
    {
        "series": field(
            TEXT,
            "The series, as promtool's unit tests write it: a name, and labels with `=`.",
            required=True,
        ),
        "values": field(TEXT, "Its values, one for each `interval`.", required=True),
        "before": field(
            DURATION,
            "How long before the start of the test the first value is: the past of a baseline, or of pods that are "
            "there already.",
            default="0s",
        ),
    }
)
_BEGINNING: Mapping[str, Field] = {
    "at": field(TEXT, "When the test begins. All other times are counted from there."),
    "looks": field(
        DURATION,
        "How often the bot looks. A test of many hours is done sooner with `5m` or `10m`.",
        default="1m",
    ),
    "given": field(
        _named(_TAG),
        "The tag of each stage at the start. It has run there, healthily, for a week: what is to be observed is "
        "released in the timeline.",
    ),
    "series": field(
        list_of(_SERIES),
        "The series of Prometheus. One with the labels of a series of the whole file takes its place.",
    ),
}


# --- what happens ----------------------------------------------------------------------------------------------------

_ACTS: Mapping[Act, str] = {
    Act.MERGES: "A person merges the newest pull request into this stage.",
    Act.CLOSES: "A person closes it.",
    Act.REOPENS: "A person opens it again.",
    Act.APPROVES: "A person approves it in a review.",
    Act.REQUESTS_CHANGES: "A person asks for changes in a review.",
    Act.MARKS_DRAFT: "A person makes it a draft.",
    Act.MARKS_READY: "A person marks it ready for review.",
    Act.LABELS: "A person adds this label to the newest pull request into the stage.",
    Act.UNLABELS: "A person takes this label off.",
}
_HAPPENINGS: Mapping[str, Field] = {
    "release": field(
        _TAG,
        "Somebody who wrote its source commit sets this tag in Git. Without `stage`, in the first stage; without `by`, "
        "it is `alice`.",
    ),
    "image": field(
        _TAG,
        "An image of this tag, whose source commit this person wrote, is pushed to the registry, for policies with "
        "`from: registry`. Without `by`, it is `alice`.",
    ),
    "argocd": field(TEXT, "Argo CD says something else of this application."),
    "says": field(
        TEXT, "A person comments on the newest pull request into the stage, such as `/liftlock hold REASON`."
    ),
    **{str(act): field(TEXT, meaning) for act, meaning in _ACTS.items()},
    "prometheus": field(words("up", "down"), "It is `down` from now on, or `up` again."),
}
_AN_EVENT = mapping(
    {
        "at": _AT,
        **_HAPPENINGS,
        "stage": _STAGE,
        "by": field(_PERSON, "Who does it, by login."),
        "health": field(words(*HEALTHS), "What Argo CD says of the application's health."),
        "syncs": field(words(*Syncs), "What is done with commits from now on."),
        "exists": field(FLAG, "Whether Argo CD has the application."),
        "message": field(TEXT, "What Argo CD says beside."),
    },
    oneOf=[{"required": [key]} for key in _HAPPENINGS],
)


# --- what is expected ------------------------------------------------------------------------------------------------

_DEEDS = either(words(*DEEDS), list_of(words(*DEEDS)))
_AN_EXPECTATION = mapping(
    {
        "at": _AT,
        "stage": _STAGE,
        "release": field(
            _TAG,
            "Of which release `state`, `waits_on` and `reason` are said, by its tag. Without it, of the one on its way "
            "into the stage, and if there is none, of the one that runs there.",
        ),
        "state": field(words(*State), "How the release stands."),
        "waits_on": field(words(*WaitsOn), "What it waits on."),
        "reason": field(TEXT, "Text that must stand in the sentence that says why, in capitals or not."),
        "tag": field(_TAG, "The tag that stands in Git."),
        "pull_request": field(words(*PULL_REQUEST), "What has become of the newest pull request into the stage."),
        "did": field(_DEEDS, "What the bot must have done there by then, one thing or a list."),
        "did_not": field(_DEEDS, "What it must not have done there by then."),
        "gate": field(TEXT, "The name of a gate: what `use` says, or `name`."),
        "trigger": field(TEXT, "The name of a trigger: what `use` says, or `name`."),
        "verdict": field(words(*VerdictKind), "What the gate or trigger answers."),
    }
)


# --- the file --------------------------------------------------------------------------------------------------------

_A_TEST = mapping(
    {
        "name": field(TEXT, "What the test shows, in one line.", required=True),
        **_BEGINNING,
        "timeline": field(list_of(_AN_EVENT), "What happens, each with `at`."),
        "expect": field(
            list_of(_AN_EXPECTATION, least=1),
            "What is expected, each with `at`. The test ends with the last of them.",
            required=True,
        ),
    }
)
_A_FILE = mapping(
    {
        "policy": field(
            TEXT, "The path of the policy, from this file. Templates of your own are found beside the policy."
        ),
        "interval": field(
            DURATION,
            "The time from one sample of a series to the next. A tile of the policy must hold four of them.",
            default="15s",
        ),
        "people": field(
            _named(words(*ROLES)),
            "What people may do in the GitOps repository, by login: `read`, `triage`, `write`, `maintain` or `admin`. "
            "Whoever is not named may `write`.",
        ),
        "teams": field(_named(list_of(_PERSON)), "The members of teams, by `organisation/team`."),
        **_BEGINNING,
        "tests": field(list_of(_A_TEST, least=1), "The tests, 1 to 200.", required=True),
    }
)


def trial_schema() -> Shape:
    """Return the schema of a test file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tests of a Liftlock policy",
        **_A_FILE,
    }
