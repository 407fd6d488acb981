"""Read what happens in a test: one mapping of its timeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.domain.text import one_line, parse_duration
from bot.policy.grammar import A_DURATION
from bot.policy.reading import UNKNOWN_KEY, Faults, Section, matching, one_of, one_of_these, shown
from bot.policy.tree import Value
from bot.trial.cases import Act, Acted, Event, Happening, PrometheusIs, Pushed, Released, Reported, Said, Syncs
from bot.trial.names import A_TAG, TAG, Names, read_name, read_optional, read_stage
from bot.trial.people import A_LOGIN, AUTHOR, LOGIN

HEALTHS = ("Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown")
_A_LABEL = "a label of 1 to 50 characters"
_LABELLING = (Act.LABELS, Act.UNLABELS)


def read_event(path: str, value: Value, faults: Faults, names: Names) -> Event | None:
    """Read one thing that happens; note what is wrong with it."""
    section = Section.of(value, path, faults)
    if section is None:
        return None
    at = section.read("at", parse_duration, f"{A_DURATION}, from the start of the test")
    kinds = [key for key in _READ if key in section.entries]
    misspelt = [key for key in section.entries if key not in _KNOWN]
    if not kinds and misspelt:
        # One of these would have said what happens.
        for key in misspelt:
            place, where = (value.keys or {})[key], section.at(one_line(key, limit=60))
            faults.note_at(place, where, UNKNOWN_KEY, one_of_these(key, _KNOWN))
        return None
    if len(kinds) != 1:
        found = " and ".join(kinds) or "nothing that happens"
        faults.note(value, path, found, f"exactly one of {', '.join(_READ)}")
        section.asked.update(section.entries)
        return None
    what = _READ[kinds[0]](section, names)
    section.finish()
    return None if at is None or what is None else Event(at=at, line=value.line, column=value.column, what=what)


def _released(section: Section, names: Names) -> Happening | None:
    tag = section.read("release", matching(TAG), A_TAG)
    stage = read_stage(section, "stage", names.stages, usual=names.first)
    by = section.read("by", matching(LOGIN), A_LOGIN, default=AUTHOR)
    return None if tag is None or stage is None or by is None else Released(tag=tag, stage=stage, by=by)


def _pushed(section: Section, names: Names) -> Happening | None:
    tag = section.read("image", matching(TAG), A_TAG)
    by = section.read("by", matching(LOGIN), A_LOGIN, default=AUTHOR)
    if not names.has_intake:
        expected = "it only where a stage of the policy has from: registry; people set a tag by release"
        section.faults.note(section.value, section.at("image"), "an image", expected)
        return None
    return None if tag is None or by is None else Pushed(tag=tag, by=by)


def _reported(section: Section, names: Names) -> Happening | None:
    known = tuple(dict.fromkeys(name for some in names.applications.values() for name in some))
    application = read_name(section, "argocd", known, "an application of the policy")
    health = read_optional(section, "health", one_of(HEALTHS), f"one of {', '.join(HEALTHS)}")
    syncs = read_optional(section, "syncs", Syncs, f"one of {', '.join(Syncs)}")
    exists = read_optional(section, "exists", one_of(("true", "false")), "true or false")
    message = section.read("message", str, "what Argo CD says", default="")
    if not {"health", "syncs", "exists"} & section.entries.keys():
        section.faults.note(section.value, section.path, "nothing that Argo CD says", "health, syncs or exists")
    if application is None:
        return None
    return Reported(
        application=application,
        health=health,
        message=message or "",
        syncs=syncs,
        exists=None if exists is None else exists == "true",
    )


def _said(section: Section, names: Names) -> Happening | None:
    by = section.read("by", matching(LOGIN), A_LOGIN)
    body = section.need("says", "a comment, such as /liftlock hold because of the outage")
    stage = read_stage(section, "stage", names.targets, usual=names.targets)
    if body is not None and body.kind != "text":
        section.faults.note(body, section.at("says"), shown(body), "a comment")
        return None
    return None if by is None or body is None or stage is None else Said(by=by, body=body.text, stage=stage)


def _acted(act: Act) -> Callable[[Section, Names], Happening | None]:
    def read(section: Section, names: Names) -> Happening | None:
        by = section.read("by", matching(LOGIN), A_LOGIN)
        label = ""
        if act in _LABELLING:
            label = section.read(act, matching(r"[^\s,](?:[^,]{0,48}[^\s,])?"), _A_LABEL) or ""
            stage = read_stage(section, "stage", names.targets, usual=names.targets)
        else:
            stage = read_stage(section, act, names.targets)
        return None if by is None or stage is None else Acted(by=by, act=act, stage=stage, label=label)

    return read


def _prometheus(section: Section, _: Names) -> Happening | None:
    said = section.read("prometheus", one_of(("up", "down")), "up or down")
    return None if said is None else PrometheusIs(up=said == "up")


_READ: Mapping[str, Callable[[Section, Names], Happening | None]] = {
    "release": _released,
    "image": _pushed,
    "argocd": _reported,
    "says": _said,
    **{str(act): _acted(act) for act in Act},
    "prometheus": _prometheus,
}
"""The key by which a mapping says what happens, and what reads the rest of it."""

_KNOWN = frozenset((*_READ, "at", "by", "stage", "health", "syncs", "exists", "message"))
