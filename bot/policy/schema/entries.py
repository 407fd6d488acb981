"""The fields of gates and triggers: of each template by its kind and parameters, and of the built-in ones."""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.rules import Accept
from bot.policy.schema.shapes import (
    A_LABEL,
    A_METRIC,
    A_NAME,
    DURATION,
    LABELS,
    SHARE,
    TEXT,
    Field,
    Fields,
    Shape,
    either,
    field,
    list_of,
    mapping,
    mapping_by,
    number,
    text,
    words,
)
from bot.policy.templates import METRIC, GateTemplate, GateTemplates, Parameter, TemplateKind

_USE = "What is measured."
_AGAINST = either(A_NAME, mapping({"labels": field(LABELS), "ago": field(DURATION)}, minProperties=1, maxProperties=1))
_A_WINDOW = mapping(
    {
        "long": field(DURATION, required=True),
        "short": field(DURATION, required=True),
        "factor": field(number(minimum=1), required=True),
    }
)
_OF_ALL: Fields = {
    "name": field(
        A_NAME,
        "Tells two entries of one template apart.",
    ),
    "mode": field(
        words("decide", "shadow"),
        "In the shadow a gate or trigger is judged and shown, and never decides: for trying it out.",
        default="decide",
    ),
}

_MEASURED: Fields = {
    "labels": field(
        LABELS,
        "More label values than the stage's `metrics`, or others in their place. Of all that measure.",
    ),
}

_FROM: Fields = {
    "metrics_from": field(
        A_NAME,
        "The data source that is asked, in place of the stage's. Of all that measure, and of `argocd-healthy`'s "
        "`history`.",
    ),
}

_SHARE: Fields = {
    "limit": field(
        SHARE,
        "Ratio: the share of bad events that a release must stay below.",
    ),
    "floor": field(
        number(minimum=1),
        "Ratio: with fewer events than this, nothing is proven.",
    ),
    "accept": field(
        words(*Accept),
        "Ratio: whether the limit must be shown to hold, or a whole window without an alarm is enough. For "
        "little traffic; no traffic at all is never enough.",
        default="proven",
    ),
    "against": field(
        _AGAINST,
        "Baseline: what it is compared with, see below.",
    ),
    "times": field(
        number(minimum=1),
        "Baseline: how many times the baseline's share is tolerated.",
        default=1.2,
    ),
    "points": field(
        SHARE,
        "Baseline: how far above the baseline's share is tolerated, if that is more.",
        default="0.5%",
    ),
    "objective": field(
        SHARE,
        "Burn rate: the share of good events that was promised.",
    ),
    "windows": field(
        list_of(_A_WINDOW, least=1),
        "Burn rate: it burns when the budget is spent `factor` times too fast over the long window and over "
        "the short one. Both are multiples of the tile, `short` at least one and less than `long`, `long` at "
        "most 5,000; `factor` is at least 1.",
    ),
    "least_bad": field(
        number(minimum=1),
        "Burn rate: with fewer bad events in the long window, nothing burns.",
        default=10,
    ),
}

_VALUE: Fields = {
    "above": field(
        number(),
        "Value: bad is what is above it.",
    ),
    "below": field(
        number(),
        "Value: bad is what is below it. Not with `above`.",
    ),
    "tiles": field(
        text(r"[0-9]{1,3} of [0-9]{1,3}"),
        "Value: how many of how many tiles in a row must be bad. N is at most 100, and K tiles (one more in a "
        "trigger) must fit into the window or watch.",
    ),
    "hard": field(
        number(),
        "Value: what is bad in a single tile.",
    ),
}

_EVENTS: Fields = {
    "at_most": field(
        number(minimum=0),
        "Events: how many are tolerated in the whole window or watch.",
    ),
}

_ABSENT: Fields = {
    "absent": field(
        words("zero", "no-data"),
        "Value, events: what it means that there is no series. `zero` needs a template with `alive`, and "
        "holds only while that has data.",
    ),
}

_LASTING: Fields = {
    "for": field(
        DURATION,
        "`argocd-degraded`, `argocd-sync-failed`: for how long.",
        default="5m",
    ),
}

_HEALTHY: Fields = {
    "out-of-sync": field(
        words("report", "unhealthy"),
        "`argocd-healthy`: what it means that an application is OutOfSync after its sync.",
        default="report",
    ),
    "history": field(
        text(METRIC),
        "`argocd-healthy`: Argo CD's metric of applications in Prometheus, which knows what happened while "
        "the bot was down.",
        default="argocd_app_info",
    ),
}

_BESIDE = {
    "floor": ["limit"],
    "accept": ["limit"],
    "times": ["against"],
    "points": ["against"],
    "windows": ["objective"],
    "least_bad": ["objective"],
}
"""Which fields of a share belong to which of its three ways."""
_ALL: Fields = {**_OF_ALL, **_MEASURED, **_FROM, **_SHARE, **_VALUE, **_EVENTS, **_ABSENT, **_LASTING, **_HEALTHY}
_BUILT_IN_GATES: Mapping[str, Fields] = {"argocd-healthy": {**_HEALTHY, **_FROM}, "soak": {}}
_BUILT_IN_TRIGGERS: Mapping[str, Fields] = {"argocd-degraded": _LASTING, "argocd-sync-failed": _LASTING}
_TYPES: Mapping[str, Shape] = {"metric": A_METRIC, "label": A_LABEL, "duration": DURATION, "text": TEXT, "promql": TEXT}


def entry_shapes(templates: GateTemplates) -> Mapping[str, Shape]:
    """Return the shapes of `gate` and `trigger`, and of each template that they refer to."""
    measured = {f"use-{name}": _of_template(template) for name, template in sorted(templates.items())}
    options = {f"option-{name}": one.as_shape() for name, one in _ALL.items()}
    references = {name: {"$ref": f"#/$defs/use-{name}"} for name in sorted(templates)}
    return {
        "gate": mapping_by("use", {**_built_in(_BUILT_IN_GATES), **references}, _USE),
        "trigger": mapping_by("use", {**_built_in(_BUILT_IN_TRIGGERS), **references}, _USE),
        **measured,
        **options,
    }


def _referred(fields: Fields) -> Fields:
    """Return fields that are described once for all entries."""
    return {name: field({"$ref": f"#/$defs/option-{name}"}) for name in fields}


def _built_in(kinds: Mapping[str, Fields]) -> Mapping[str, Shape]:
    return {name: mapping({"use": field({}), **_referred({**_OF_ALL, **fields})}) for name, fields in kinds.items()}


def _of_template(template: GateTemplate) -> Shape:
    parameters = {parameter.name: _parameter(parameter) for parameter in template.parameters}
    options = _referred({**_OF_ALL, **_MEASURED, **_FROM, **_OPTIONS[template.kind]})
    rules = _rules(template)
    return {"description": template.description, **mapping({"use": field({}), **options, **parameters}, **rules)}


def _parameter(parameter: Parameter) -> Field:
    return field(
        _TYPES[parameter.type],
        parameter.description,
        required=parameter.default is None,
        default=parameter.default,
    )


def _rules(template: GateTemplate) -> Mapping[str, object]:
    """Return how the fields of a template's kind go together."""
    if template.kind is TemplateKind.SHARE:
        ways = [{"required": [way]} for way in ("limit", "against", "objective")]
        return {"oneOf": ways, "dependentRequired": _BESIDE}
    if template.kind is TemplateKind.EVENTS:
        return {}
    bounds = [{"required": [bound]} for bound in ("above", "below")]
    return {"not": {"required": ["above", "below"]}, **({"anyOf": bounds} if template.bound is None else {})}


_OPTIONS: Mapping[TemplateKind, Fields] = {
    TemplateKind.SHARE: _SHARE,
    TemplateKind.VALUE: {**_VALUE, **_ABSENT},
    TemplateKind.EVENTS: {**_EVENTS, **_ABSENT},
}
