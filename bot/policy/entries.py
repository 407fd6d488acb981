"""One gate or trigger of a policy: which template it uses, its name, and the template filled in for its stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.rules import MeasuredRule
from bot.policy.baselines import read_baseline
from bot.policy.filling import Filling, Surroundings
from bot.policy.grammar import NAME
from bot.policy.labels import read_labels
from bot.policy.reading import Section, matching, one_of, shown
from bot.policy.share_rules import read_burn_rate, read_ratio
from bot.policy.sources import read_source
from bot.policy.templates import (
    BUILT_IN,
    GateTemplate,
    GateTemplates,
    Parameter,
    TemplateKind,
    parameter_words,
    promql_duration,
)
from bot.policy.value_rules import read_events, read_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One gate or trigger that is being read. `broken` are files of templates that have faults, by the name of each."""

    section: Section
    use: str
    name: str
    templates: GateTemplates
    broken: Mapping[str, str]
    is_shadow: bool

    @classmethod
    def of(cls, section: Section, templates: GateTemplates, broken: Mapping[str, str]) -> Entry | None:
        """Begin to read an entry; note a fault and return None if it does not say what it uses."""
        use = section.read("use", str, "the name of a gate template")
        if use is None:
            return None
        name = section.read("name", matching(NAME), "a name of a-z, 0-9 and -", default=use)
        mode = section.read("mode", one_of(("decide", "shadow")), "decide or shadow", default="decide")
        return cls(
            section=section,
            use=use,
            name=name or use,
            templates=templates,
            broken=broken,
            is_shadow=mode == "shadow",
        )

    def measured(self, around: Surroundings, *, others: Sequence[str]) -> MeasuredRule | None:
        """Read it as a rule that measures; `others` are the names that a person could have meant beside templates."""
        template = None if self.use in self.broken else self.templates.get(self.use)
        if template is None:
            self._refuse_template(others)
            return None
        before = len(self.section.faults.found)
        more = self.section.section("labels")
        added = read_labels(more) if more is not None else {}
        own_source = read_source(self.section)
        words, said = self._words(template, around.tile)
        filling = Filling(
            section=self.section,
            name=self.name,
            is_shadow=self.is_shadow,
            template=template,
            around=around,
            labels={**(around.labels or {}), **added},
            more=added,
            words=words,
            title=template.say(said),
            own_source=own_source,
        )
        rule = _rule(filling)
        self.section.finish()
        if around.labels is None:
            found, expected = "no metrics in its stage", "metrics: {namespace: …} beside it, to select the series"
            self.section.faults.note(self.section.value, self.section.path, found, expected)
        return rule if len(self.section.faults.found) == before else None

    def _refuse_template(self, others: Sequence[str]) -> None:
        use, broken = self.section.entries["use"], self.broken.get(self.use)
        expected = self.section.faults.one_of_these(self.use, [*self.templates, *others])
        if broken is not None:
            expected = f"a template without faults: {broken} has some"
        elif self.use in BUILT_IN:
            # Of those of its own kind it would have been read.
            expected = f"it only among the {'triggers of a rollback' if 'soak' in others else 'gates'}"
        self.section.faults.note(use, self.section.at("use"), shown(use), expected)

    def _words(self, template: GateTemplate, tile: timedelta) -> tuple[dict[str, str], dict[str, str]]:
        """Return what the parameters put into queries, and what they put into sentences."""
        words = {"tile": promql_duration(tile)}
        said = dict(words)
        for parameter in template.parameters:
            expected = f"a {parameter.type}: {parameter.description}"

            def parse(text: str, parameter: Parameter = parameter) -> tuple[dict[str, str], str]:
                return parameter_words(parameter, text), text

            default = parse(parameter.default) if parameter.default is not None else None
            # A faulty one is noted, and stands for itself: what else is wrong is told at the same time.
            forms, text = self.section.read(parameter.name, parse, expected, default=default) or ({}, parameter.name)
            words |= dict.fromkeys(parameter.forms, parameter.name) | forms
            said |= forms | ({parameter.name: text} if parameter.type == "text" else {})
            said.setdefault(parameter.name, text)
        return words, said


def _rule(filling: Filling) -> MeasuredRule | None:
    """Return the rule that the template's kind and the entry's options make; None, with the faults noted, for none."""
    if filling.template.kind is TemplateKind.VALUE:
        return read_value(filling)
    if filling.template.kind is TemplateKind.EVENTS:
        return read_events(filling)
    section = filling.section
    chosen = [way for way in _WAYS if section.get(way) is not None]
    if len(chosen) > 1:
        place = section.entries[chosen[1]]
        section.faults.note(place, section.at(chosen[1]), f"{chosen[1]} beside {chosen[0]}", "one of them")
        return None
    return _WAYS[chosen[0] if chosen else "limit"](filling)


_WAYS: Mapping[str, Callable[[Filling], MeasuredRule | None]] = {
    "limit": read_ratio,
    "against": read_baseline,
    "objective": read_burn_rate,
}
"""What makes a share a ratio, a baseline or a burn rate."""
