"""The fields of a stage but for its gates and triggers, its edit, and what must be proven of an artifact."""

from __future__ import annotations

from bot.domain.intake import REGISTRY
from bot.domain.policy import ApprovedWhen, AtDeadline, AutoMerge, EvidenceIn, Merge, Opens, Road, SyncBy
from bot.domain.pulls import MergeMethod
from bot.policy.grammar import PERSON
from bot.policy.promoting import ONLY_PULL_REQUESTS
from bot.policy.schema.artifacts import AN_ARTIFACT
from bot.policy.schema.calendars import A_CALENDAR
from bot.policy.schema.edits import AN_EDIT
from bot.policy.schema.shapes import (
    A_NAME,
    AN_IMAGE,
    DURATION,
    FLAG,
    HANDLES,
    LABELS,
    TEXT,
    Fields,
    either,
    field,
    list_of,
    mapping,
    one_of_keys,
    text,
    where,
    whole,
    without,
    words,
)

_OF_SELECTED: Fields = {
    "selector": field(
        TEXT,
        "All applications with these labels, as many as there are: `app=checkout`, `tier in (web,api)`, "
        "`!canary`, joined by commas. Who joins or leaves begins the window anew.",
        required=True,
    ),
    "server": field(
        A_NAME,
        "Which server of the settings has them.",
        default="argocd",
    ),
    "namespace": field(
        TEXT,
        "The namespace of the applications.",
    ),
}


_APPLICATION = either(TEXT, mapping(_OF_SELECTED))
_RELEASES: Fields = {
    "semver": field(
        TEXT,
        "The highest semantic version within a range as npm writes it: `>=1.4 <2`, `^1.2`, `~1.2`, `1.x`, "
        "`1.2.3 - 1.9`, several joined by `||`. A tag has three numbers and may begin with `v`; `1.2.3` comes "
        "before `v1.2.3`.",
    ),
    "prereleases": field(
        FLAG,
        "With `semver`: whether pre-releases count, those that lie within the range by their precedence. An "
        "upper bound shuts its own out: `>=1.4 <2` has `1.5.0-rc.1` in it, but neither `1.4.0-rc.1` nor "
        "`2.0.0-rc.1`; `>=1.4.0-rc.1 <2` has the first.",
        default=False,
    ),
    "pattern": field(
        TEXT,
        "The highest of the tags of this form.",
    ),
    "by": field(
        words("number", "version", "time"),
        "With `pattern`: the place that decides which tag is the highest. It must stand in the form once.",
    ),
    "newest": field(
        TEXT,
        "The image that was created last, as its annotation `org.opencontainers.image.created` says; of all "
        "tags, or those of this form.",
    ),
    "follow": field(
        TEXT,
        "The release that a moving tag points at.",
    ),
    "every": field(
        DURATION,
        "How often the registry is asked at most.",
        default="1m",
    ),
}

_WINDOW: Fields = {
    "for": field(
        DURATION,
        "How long a release must prove itself.",
        required=True,
    ),
    "warmup": field(
        DURATION,
        "The time after it became live that does not count. `0s` is allowed.",
        default="2m",
    ),
    "tile": field(
        DURATION,
        "What is measured is cut into slices of this width. At least four scrapes should fit into one; at most `for`.",
        default="1m",
    ),
    "deadline": field(
        DURATION,
        "When `at_deadline` is done, if there is still no verdict. It counts from the instant the release was "
        "live, or from its commit while it is not. More than `warmup` and `for` together.",
    ),
    "at_deadline": field(
        words(*AtDeadline),
        "What is done without a verdict: call a person; wait on without calling anybody; or promote what is "
        "live, was measured for the whole window, and lacks only more of what was counted. `promote` lets "
        "nothing pass without measurements: there a person is called.",
        default="ask",
    ),
}

_APPROVALS: Fields = {
    "need": field(
        whole(1, 10),
        "How many different people, 1 to 10.",
        default=1,
    ),
    "from": field(
        {**HANDLES, "minItems": 1},
        "Whose approval counts. Where `approvers` names nobody either, that of whoever may write in the repository.",
    ),
    "four_eyes": field(
        FLAG,
        "With `true`, whoever wrote one of the source commits that come with the release does not count. Needs the "
        "policy's `source`.",
        default=False,
    ),
    "when": field(
        words(*ApprovedWhen),
        "Whether an approval counts that was given before the release had passed in the stage before.",
        default="any-time",
    ),
}

_PROMOTE: Fields = {
    "by": field(
        words(*Road),
        "The road a promotion takes. A commit goes onto the tracked branch itself, after the same checks; the "
        "keys about pull requests have no place beside it.",
        default="pull-request",
    ),
    "merge": field(
        words(*Merge),
        "Who merges once every gate is healthy. With `human`, `/liftlock approve` lets the bot merge.",
        default="human",
    ),
    "open": field(
        words(*Opens),
        "When the pull request is opened: as a draft once the release is live in the stage before, with the "
        "evidence filling in, or when it has passed.",
        default="early",
    ),
    "evidence": field(
        words(*EvidenceIn),
        "Where the evidence stands. `body` saves a comment for each promotion, which matters from some "
        "hundred promotions an hour.",
        default="comment",
    ),
    "method": field(
        words(*MergeMethod),
        "How the pull request is merged.",
    ),
    "auto_merge": field(
        words(*AutoMerge),
        "Whether the forge's own auto-merge is armed while reviews or checks are missing. `bound`: only where "
        "the branch requires the check `liftlock/STAGE` from this very app; `any`: without that.",
        default="never",
    ),
    "title": field(
        TEXT,
        "The title of the pull request. Nothing is ever read back from it.",
        default="Promote {service} to {stage}: {old} → {new}",
    ),
    "approvers": field(
        HANDLES,
        "Who may approve, and override a gate, beside those whose role allows it. Where some are named, only "
        "they and administrators approve.",
    ),
    "approvals": field(
        mapping(_APPROVALS),
        "How many people must have approved the pull request at its head, by a review or by `/liftlock approve`, "
        "before it is merged. Without it nobody must.",
    ),
    "notify": field(
        HANDLES,
        "Whom the bot mentions when a person must act.",
    ),
    "labels": field(
        list_of(TEXT),
        "Labels of a new pull request.",
    ),
    "reviewers": field(
        HANDLES,
        "Whose review is asked for.",
    ),
    "assignees": field(
        list_of(text(PERSON)),
        "Who a new pull request is assigned to.",
    ),
    "pause": field(
        DURATION,
        "How long a release waits at least after its window in the stage before, while its gates there go on being "
        "judged. A `/liftlock approve` given after that window ends it.",
        default="0s",
    ),
    "tell_source": field(
        FLAG,
        "Whether a comment on the source pull request says that its release arrived here, or was taken back.",
        default=False,
    ),
}

_WAVES: Fields = {
    "regions": field(
        list_of(either(A_NAME, list_of(A_NAME, least=1)), least=1),
        "The waves in their order: each a region, or a list of regions that get a release together.",
        required=True,
    ),
    "pause": field(
        DURATION,
        "The `pause` before each wave but the first.",
        default="0s",
    ),
    "together": field(
        FLAG,
        "Whether a rollback in one region takes the same release back out of all regions of its wave and of those "
        "before it.",
        default=False,
    ),
}
_TOGETHER: Fields = {
    "image": field(
        AN_IMAGE,
        "Whose tag the value is.",
    ),
    "edit": field(
        AN_EDIT,
        "The value, as in the stage's own `edit`. `pin` is for the service's image alone.",
        required=True,
    ),
}
_STAGES = list_of(A_NAME, least=2)
_JOINS: Fields = {
    "all": field(_STAGES, "The stages in each of which it must prove itself, as with the list alone."),
    "any": field(_STAGES, "The stages of which one is enough."),
}

_ROLLBACK: Fields = {
    "watch": field(
        DURATION,
        "How long a release is watched after it was deployed; with a trigger that measures, at least four tiles.",
        required=True,
    ),
    "by": field(
        words(*Road),
        "How the revert reaches the branch.",
        default="commit",
    ),
    "tile": field(
        DURATION,
        "As in the window.",
        default="1m",
    ),
    "at_most": field(
        whole(1, 100),
        "How many times within 24 hours the stage is taken back without a person.",
        default=3,
    ),
    "cool_down": field(
        DURATION,
        "For how long after a rollback the bot merges nothing into the stage. `/liftlock approve` merges all "
        "the same. `0s` is allowed.",
    ),
    "also": field(
        list_of(A_NAME),
        "Stages that releases pass before this one, or enter with it, out of which the same release is taken "
        "then, too.",
    ),
    "during_freeze": field(
        FLAG,
        "Whether a release is taken back while the calendar lets nothing move. With `false` a person is "
        "called, and it is done when the calendar opens, if a trigger still fires; until then the watch does not end.",
        default=True,
    ),
    "triggers": field(
        list_of({"$ref": "#/$defs/trigger"}, least=1),
        "At least one; any of them is enough.",
        required=True,
    ),
}

STAGE_FIELDS: Fields = {
    "name": field(
        A_NAME,
        "What the stage is called. Not `registry`.",
        required=True,
    ),
    "from": field(
        either(A_NAME, _STAGES, mapping(_JOINS, **one_of_keys("all", "any"))),
        "The stage in which a release must prove itself first. That stage needs a window, and a gate that "
        "decides and is not `soak`. Of several stages it must prove itself in each; with `any` one of them is enough.",
    ),
    "waves": field(
        mapping(_WAVES),
        "The regions that it stands for, wave by wave. Only with `from`. See waves.",
    ),
    "releases": field(
        mapping(_RELEASES, **one_of_keys("semver", "pattern", "newest", "follow")),
        "Which tags of the registry are releases. Only with `from: registry`.",
    ),
    "edit": field(
        AN_EDIT,
        "The one value that a promotion changes: exactly one of the kinds below. No two stages share a value.",
        required=True,
    ),
    "with": field(
        list_of(mapping(_TOGETHER), least=1),
        "Further values that are set with that of `edit`, in one commit, to one tag, and taken back with it. "
        "See several values.",
    ),
    "argocd": field(
        either(_APPLICATION, list_of(_APPLICATION, least=1)),
        "The Argo CD applications that deploy the stage: `[server:][namespace/]name`, with `server:` where "
        "they are not on the server of the settings' `[argocd]`, and `namespace/` where they are not in Argo "
        "CD's own. All must be healthy.",
        required=True,
    ),
    "sync": field(
        words(*SyncBy),
        "Who starts syncs: Argo CD and people, or the bot, at exactly the release's commit, where auto-sync "
        "is off and the application carries `liftlock.dev/authorized-stage: SERVICE:STAGE`. See Argo CD.",
        default="argocd",
    ),
    "metrics": field(
        LABELS,
        "Label values that select the stage's series. They are part of every query. Gates and triggers that "
        "measure need it. The value `$tag` stands for the release's tag.",
    ),
    "metrics_from": field(
        A_NAME,
        "The data source that has the stage's series: `prometheus`, or the NAME of a section "
        "`[prometheus_servers.NAME]` of the settings. Never an address: those stand in the settings.",
        default="prometheus",
    ),
    "window": field(
        mapping(_WINDOW),
        "The health window.",
    ),
    "gates": field(
        list_of({"$ref": "#/$defs/gate"}),
        "What must hold in the window before a release moves on. Gates need a window.",
    ),
    "promote": field(
        mapping(_PROMOTE, **where("by", "commit", without(*ONLY_PULL_REQUESTS))),
        "How a release enters. Only with `from`.",
    ),
    "rollback": field(
        mapping(_ROLLBACK),
        "What takes a release back after it entered. Only with `from`.",
    ),
    "calendar": field(
        A_CALENDAR,
        "When releases may move into this stage: another calendar, which must agree as well. Only with `from`.",
    ),
    "artifact": field(
        AN_ARTIFACT,
        "What must be proven.",
    ),
}


A_STAGE = mapping(
    STAGE_FIELDS,
    dependentRequired={
        "promote": ["from"],
        "rollback": ["from"],
        "calendar": ["from"],
        "waves": ["from"],
        "gates": ["window"],
    },
    **where("from", REGISTRY, {"required": ["releases"]}, without("releases")),
)
