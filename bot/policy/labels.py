"""Label values that select series: of a stage, of one rule, of a baseline."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.domain.text import one_line
from bot.policy.reading import Section
from bot.policy.templates import LABEL
from bot.policy.tree import Value


def read_labels(section: Section) -> Mapping[str, str]:
    """Read labels; note a fault where there is none, or a name or value that selects nothing."""
    labels = {}
    for name in section.entries:
        text = section.read(name, str, "a label's value")
        place = (section.value.keys or {})[name]
        if re.fullmatch(LABEL, name) is None or name.startswith("__"):
            found = f'the label "{one_line(name, limit=60)}"'
            section.faults.note_at(place, section.path, found, "a Prometheus label name that does not begin with __")
        elif text == "":
            # In PromQL an empty value selects the series without the label, which are not this stage's.
            section.faults.note_at(place, section.at(name), "an empty value", "the value that selects the stage")
        elif text is not None:
            labels[name] = text
    if not section.entries:
        section.faults.note(section.value, section.path, "no label", "at least one label, such as namespace")
    return labels


def labels_of_others(stages: Value | None, own: str | None) -> Mapping[str, Mapping[str, str]]:
    """Return the labels of the stages that do not have a release before the stage `own` has it, by their names.

    They are as they stand; what is wrong in them is told where it is read.
    """
    entries = {
        item.entries["name"].text: item.entries
        for item in (stages.items if stages is not None else ())
        if item.entries and "name" in item.entries and item.entries["name"].text
    }
    earlier = {own}
    at = own
    while at in entries and "from" in entries[at] and (at := entries[at]["from"].text) not in earlier:
        earlier.add(at)
    return {
        name: {key: value.text for key, value in (stage["metrics"].entries or {}).items()}
        for name, stage in entries.items()
        if name not in earlier and "metrics" in stage
    }
