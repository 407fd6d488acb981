"""Which data source an entry or a stage is measured by: an id of the settings, never an address."""

from __future__ import annotations

from collections.abc import Mapping

from bot.policy.grammar import SERVER
from bot.policy.reading import Section, matching
from bot.policy.tree import Value

KEY = "metrics_from"
_EXPECTED = (
    "the id of a data source: prometheus, or the NAME of a section [prometheus_servers.NAME] of the settings; "
    "addresses stand there, never in a policy"
)


def read_source(section: Section) -> str | None:
    """Read `metrics_from`; None where there is none, and with a fault for what is no id."""
    return section.read(KEY, matching(SERVER), _EXPECTED) if section.get(KEY) is not None else None


def sources_of_stages(stages: Value | None) -> Mapping[str, str]:
    """Return the ids that stages name themselves, by the stages' names; what is wrong is told where it is read."""
    entries = [item.entries or {} for item in (stages.items if stages is not None else ())]
    named = {item["name"].text: item[KEY].text for item in entries if "name" in item and KEY in item}
    return {name: source for name, source in named.items() if source}
