"""Check files of policies and templates offline: all that the bot would refuse, and what it would take to no avail.

Each file is read as the bot reads it, with the team's own templates of its directory. Nothing is asked and nothing is
changed; what is wrong with one file hides nothing of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path

from bot.domain.policy import Policy
from bot.domain.tenancy import Tenancy
from bot.policy.cautions import check_meaning
from bot.policy.defaults import check_defaults, parse_defaults, read_inherited
from bot.policy.directory import second_of
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.files import read_text, yaml_files
from bot.policy.findings import Finding, Severity
from bot.policy.floor import Floor, ReadPolicy, faults_below
from bot.policy.own_templates import FOLDER, OwnTemplates, read_own_templates
from bot.policy.parsing import read_policy
from bot.policy.promql_checks import Lines, check_entries, check_template
from bot.policy.reading import Faults, hint
from bot.policy.resolving import DEFAULTS, Inherited, resolve
from bot.policy.source_checks import check_sources
from bot.policy.spreading import spread
from bot.policy.templates import GateTemplates, read_template
from bot.policy.tree import Value, read_tree
from bot.policy.weakening import Earlier, EarlierOf


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPolicy:
    """A policy without faults, the tree that it was read from, and the name by which whoever asked knows its file."""

    policy: Policy
    tree: Value
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found, in the order of the files, and in how many files; the policies where they were to be kept."""

    files: int
    findings: tuple[Finding, ...]
    policies: tuple[KeptPolicy, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What policies are held against: how often metrics are scraped, a floor, and what they were before.

    `tenancies` are what the settings force at each data source, None where the settings are not known.
    """

    scrape: timedelta
    floor: Floor | None = None
    earlier: EarlierOf | None = None
    tenancies: Mapping[str, Tenancy] | None = None


def check_policies(
    places: Sequence[Path],
    templates: GateTemplates,
    *,
    measures: Measures,
    keeps_policies: bool = False,
    processes: int = 1,
) -> Checked:
    """Check files, and all policies and own templates of directories, by what `measures` say.

    Two files with one service are found where both are checked, and a service that was there `earlier` and is gone
    where its directory is. The own templates are those of the shipped `templates` and of the folder `gates` beside a
    policy. What is wrong with `defaults.yaml` is told once, as of that file, however many policies inherit it. A
    directory that cannot be read is a finding of its own. Many files are checked by so many `processes`.
    """
    findings: dict[Path, list[Finding]] = {}
    paths: list[Path] = []
    for place in places:
        names, unread = _names(place) if place.is_dir() else ([place], [])
        findings.update({place: unread} if unread else {})
        paths += (path for path in dict.fromkeys(names) if path not in findings)
        findings.update({path: [] for path in names if path not in findings})
    files = len(findings)
    keeps = keeps_policies or measures.earlier is not None
    # What each file was before is asked for here.
    alone = replace(measures, earlier=None)
    check = partial(check_files, templates=dict(templates), measures=alone, keeps=keeps)
    together = _Together(earlier=measures.earlier)
    kept: list[KeptPolicy] = []
    for found in spread(check, paths, processes=processes):
        kept += [found.policy] if found.policy is not None else []
        for finding in (*found.findings, *together.seen(found)):
            at = found.home / DEFAULTS if finding.fault.file == DEFAULTS else found.path
            findings.setdefault(at, []).append(finding.in_file(str(at)))
    for place in dict.fromkeys(place for place in places if place.is_dir()):
        for file, finding in (*together.gone(place), *together.unused(place)):
            findings.setdefault(place / file, []).append(finding.in_file(str(place / file)))
    told = (_once(some) if path.name == DEFAULTS else sorted(set(some)) for path, some in findings.items())
    return Checked(
        files=files,
        findings=tuple(one for some in told for one in some),
        policies=tuple(kept if keeps_policies else ()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Together:
    """What only all files together show: a service that two of them describe, and what became of earlier ones."""

    earlier: EarlierOf | None
    _owners: dict[Path, dict[str, str]] = field(default_factory=dict)
    _broken: dict[Path, dict[str, OfFile]] = field(default_factory=dict)
    _before: dict[Path, Earlier] = field(default_factory=dict)
    _stages: dict[Path, set[str]] = field(default_factory=dict)
    _offered: dict[Path, Mapping[str, Value]] = field(default_factory=dict)

    def seen(self, found: OfFile) -> Sequence[Finding]:
        """Return what is wrong with a service that another file has, and what is different of it; the first has it."""
        self._stages.setdefault(found.home, set()).update(found.extending)
        if found.name == DEFAULTS:
            self._offered[found.home] = found.offered
        if found.service is None:
            self._broken.setdefault(found.home, {})[found.name] = found
            return ()
        owner = self._owners.setdefault(found.home, {}).setdefault(found.service, found.name)
        second = () if owner == found.name else _of_policy([second_of(found.service, found.name, owner)])
        if self.earlier is None or found.policy is None:
            return second
        return (*second, *self._earlier(found.home).since(found.policy.policy, found.policy.tree))

    def _earlier(self, home: Path) -> Earlier:
        if home not in self._before and self.earlier is not None:
            self._before[home] = Earlier.of(self.earlier(home))
        return self._before[home]

    def gone(self, home: Path) -> Iterator[tuple[str, Finding]]:
        """Give the services that are there no more, once all files of a directory are checked."""
        if self.earlier is not None:
            yield from self._earlier(home).gone(self._owners.get(home, {}), self._broken.get(home, {}))

    def unused(self, home: Path) -> Iterator[tuple[str, Finding]]:
        """Warn of defaults for stages that no policy has, once all files are checked and each tells its stages."""
        stages = self._stages.get(home, set())
        unknown = [one for one in self._broken.get(home, ()) if one != DEFAULTS and not one.startswith(f"{FOLDER}/")]
        if not stages or unknown:
            return
        for name, value in self._offered.get(home, {}).items():
            if name not in stages:
                fault = PolicyFault(
                    file=DEFAULTS,
                    line=value.line,
                    column=value.column,
                    path=f"stages.{name}",
                    found="defaults for a stage that no policy has which extends this",
                    expected=f"one of {', '.join(sorted(stages))}{hint(name, stages)}",
                )
                yield DEFAULTS, Finding(fault=fault, rule="without-effect", severity=Severity.WARNING)


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in order, what is alike but for what was found once: `{service}` differs, the fault does not."""
    alike = {
        (one.fault.line, one.fault.column, one.fault.path, one.rule, one.fault.expected): one
        for one in sorted(findings, reverse=True)
    }
    return sorted(alike.values())


def _names(directory: Path) -> tuple[list[Path], list[Finding]]:
    """Return the files of a directory, those of its templates behind the others; and what cannot be read of it."""
    found: list[Path] = []
    unread: list[Finding] = []
    folders = [directory, *([directory / FOLDER] if (directory / FOLDER).is_dir() else [])]
    for folder in folders:
        try:
            found += [folder / name for name in yaml_files(folder, expected="a directory of policies")]
        except PolicyError as error:
            unread += _of_policy(error.faults)
    return found, unread


def _home(folder: Path) -> Path:
    """Return the directory of the policies that a folder belongs to."""
    return folder.parent if folder.resolve().name == FOLDER else folder


def _of_policy(faults: Iterable[PolicyFault]) -> list[Finding]:
    return [Finding(fault=fault, rule="policy") for fault in faults]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfFile:
    """What was found in a file: by its name in its directory, and that of `defaults.yaml` by its own.

    `service` is whom a policy without faults describes, else None; `policy` is that policy where it is to be kept.
    `extending` are the stages of a policy that inherits, `offered` those for which `defaults.yaml` says something.
    """

    path: Path
    home: Path
    name: str
    service: str | None
    policy: KeptPolicy | None
    findings: tuple[Finding, ...]
    extending: frozenset[str] = frozenset()
    offered: Mapping[str, Value] = field(default_factory=dict)


def check_files(
    paths: Sequence[Path], *, templates: GateTemplates, measures: Measures, keeps: bool = False
) -> list[OfFile]:
    """Check files one by one, as `check_policies` does; what they have in common it has to see."""
    directories: dict[Path, _Directory] = {}
    homes = {folder: _home(folder) for folder in {path.parent for path in paths}}
    found = []
    for path in paths:
        home = homes[path.parent]
        one = directories.setdefault(home, _Directory(path=home, templates=templates, measures=measures, keeps=keeps))
        found.append(one.check(path, is_template=home != path.parent))
    return found


@dataclass(frozen=True, kw_only=True)
class _Directory:
    """A directory of policies while its files are checked, with what they share."""

    path: Path
    templates: GateTemplates
    measures: Measures
    keeps: bool

    @cached_property
    def own(self) -> OwnTemplates:
        """The team's own templates."""
        return read_own_templates(self.path)

    @cached_property
    def inherited(self) -> Inherited:
        """What policies can inherit."""
        return read_inherited(self.path)

    def check(self, path: Path, *, is_template: bool) -> OfFile:
        """Return what is found in a file."""
        name = f"{FOLDER}/{path.name}" if is_template else path.name
        findings: list[Finding] = []
        service, kept, extending = None, None, frozenset[str]()
        offered: Mapping[str, Value] = {}
        try:
            text = read_text(path, file=name)
            if is_template:
                findings += self._template(text, name)
            elif name == DEFAULTS:
                defaults = parse_defaults(text)
                offered = defaults.stages
                findings += _of_policy(check_defaults(defaults, self._all, self.own.broken))
            else:
                policy, tree, inherits = self._policy(text, name, findings)
                service = policy.service
                extending = frozenset(one.region_of or one.name for one in policy.stages if inherits)
                kept = KeptPolicy(policy=policy, tree=tree, file=str(path)) if self.keeps else None
        except PolicyError as error:
            findings += _of_policy(error.faults)
        return OfFile(
            path=path,
            home=self.path,
            name=name,
            service=service,
            policy=kept,
            findings=tuple(findings),
            extending=extending,
            offered=offered,
        )

    @cached_property
    def _all(self) -> GateTemplates:
        return {**self.templates, **self.own.templates}

    @cached_property
    def _whole(self) -> GateTemplates:
        return {name: template for name, template in self._all.items() if name not in self.own.broken}

    def _template(self, text: str, name: str) -> Iterator[Finding]:
        second = self.own.errors.get(name)
        if second is not None:
            raise second
        faults = Faults(file=name)
        tree = read_tree(text, file=name, faults=faults.found)
        template = read_template(tree, faults)
        yield from check_template(tree, template, Lines(of={name: text.splitlines()}))

    def _policy(self, text: str, name: str, findings: list[Finding]) -> tuple[Policy, Value, bool]:
        """Return the policy of a text, its tree and whether it inherits; add what is found beside faults.

        Raise PolicyError for these.
        """
        resolved = resolve(text, file=name, inherited=self.inherited)
        lines = {name: text.splitlines()}
        if resolved.extends is not None:
            lines[DEFAULTS] = resolved.extends.text.splitlines()
        told_as = resolved.faults.told_as
        findings += check_entries(resolved.tree, self._whole, Lines(of=lines, told_as=told_as))
        policy = read_policy(resolved, templates=self._all, broken=self.own.broken)
        judged = self._judged(policy, resolved.tree)
        findings += (replace(finding, fault=told_as(finding.fault)) for finding in judged)
        return policy, resolved.tree, resolved.extends is not None

    def _judged(self, policy: Policy, tree: Value) -> Iterator[Finding]:
        """Give what is found of a policy that the bot takes."""
        measures = self.measures
        if measures.floor is not None:
            read = ReadPolicy(policy=policy, tree=tree, templates=self._all, own=self.own.texts.keys())
            yield from (Finding(fault=fault, rule="below-floor") for fault in faults_below(read, measures.floor))
        yield from check_meaning(policy, tree, scrape=measures.scrape)
        if measures.tenancies is not None:
            yield from (caution.at(tree) for caution in check_sources(policy, tree, measures.tenancies))
