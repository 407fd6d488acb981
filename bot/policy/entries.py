"""One gate or trigger of a policy: which template it uses, its name, and the template filled in for its stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.policy import CountGate
from bot.domain.text import format_limit
from bot.policy.grammar import A_LIMIT, NAME
from bot.policy.reading import Section, matching, one_of, one_of_these, share, shown
from bot.policy.templates import GateTemplate, GateTemplates, Parameter, parameter_words, promql_duration, selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One gate or trigger that is being read."""

    section: Section
    use: str
    name: str
    templates: GateTemplates
    labels: Mapping[str, str] | None
    is_shadow: bool

    @classmethod
    def of(cls, section: Section, templates: GateTemplates, labels: Mapping[str, str] | None) -> Entry | None:
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
            labels=labels,
            is_shadow=mode == "shadow",
        )

    def count_gate(self, tile: timedelta, *, others: Sequence[str]) -> CountGate | None:
        """Read it as a count gate; `others` are the names that a person could have meant beside the templates'."""
        template = self.templates.get(self.use)
        if template is None:
            use = self.section.entries["use"]
            self.section.faults.note(
                use, self.section.at("use"), shown(use), one_of_these(self.use, [*self.templates, *others])
            )
            return None
        limit = self.section.read("limit", share, A_LIMIT)
        words = self._words(template)
        self.section.finish()
        if self.labels is None:
            found, expected = "no metrics in its stage", "metrics: {namespace: …} beside it, to select the series"
            self.section.faults.note(self.section.value, self.section.path, found, expected)
            return None
        if limit is None or words is None:
            return None
        own = {"tile": promql_duration(tile), "limit": format_limit(limit)}
        filled = words | own | {"selector": selector(self.labels), "key": ", ".join(sorted(self.labels))}
        return CountGate(
            name=self.name,
            template=template.name,
            title=template.fill(template.title, filled),
            limit=limit,
            counts=template.counts,
            query=template.fill(template.query, filled),
            total=template.fill(template.total, filled),
            tile=tile,
            is_shadow=self.is_shadow,
        )

    def _words(self, template: GateTemplate) -> dict[str, str] | None:
        words: dict[str, str] = {}
        complete = True
        for parameter in template.parameters:
            expected = f"a {parameter.type}: {parameter.description}"

            def parse(text: str, parameter: Parameter = parameter) -> dict[str, str]:
                return parameter_words(parameter, text)

            default = parameter_words(parameter, parameter.default) if parameter.default is not None else None
            found = self.section.read(parameter.name, parse, expected, default=default)
            complete = complete and found is not None
            words |= found or {}
        return words if complete else None
