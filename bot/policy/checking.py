"""Check files of policies and templates offline: all that the bot would refuse, and what it would take to no avail.

Each file is read as the bot reads it, with the team's own templates of its directory. Nothing is asked and nothing is
changed; what is wrong with one file hides nothing of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path

from bot.domain.policy import Policy
from bot.policy.cautions import check_meaning
from bot.policy.defaults import check_defaults, parse_defaults, read_inherited
from bot.policy.directory import second_of
from bot.policy.faults import PolicyError, PolicyFault
from bot.policy.files import read_text, yaml_files
from bot.policy.findings import Finding
from bot.policy.own_templates import FOLDER, OwnTemplates, read_own_templates
from bot.policy.parsing import read_policy
from bot.policy.promql_checks import Lines, check_entries, check_template
from bot.policy.reading import Faults
from bot.policy.resolving import DEFAULTS, Inherited, resolve
from bot.policy.spreading import spread
from bot.policy.templates import GateTemplates, read_template
from bot.policy.tree import read_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found, in the order of the files, and in how many files."""

    files: int
    findings: tuple[Finding, ...]


def check_policies(
    places: Sequence[Path], templates: GateTemplates, *, scrape: timedelta, processes: int = 1
) -> Checked:
    """Check files, and all policies and own templates of directories; `scrape` is how often metrics are scraped.

    Two files with one service are found where both are checked. The own templates are those of the shipped `templates`
    and of the folder `gates` beside a policy. What is wrong with `defaults.yaml` is told once, as of that file, however
    many policies inherit it. A directory that cannot be read is a finding of its own. Many files are checked by so many
    `processes`.
    """
    findings: dict[Path, list[Finding]] = {}
    paths: list[Path] = []
    for place in places:
        names, unread = _names(place) if place.is_dir() else ([place], [])
        findings.update({place: unread} if unread else {})
        paths += (path for path in dict.fromkeys(names) if path not in findings)
        findings.update({path: [] for path in names if path not in findings})
    files = len(findings)
    check = partial(check_files, templates=dict(templates), scrape=scrape)
    owners: dict[tuple[Path, str], str] = {}
    for found in spread(check, paths, processes=processes):
        for finding in (*found.findings, *_second(found, owners)):
            at = found.home / DEFAULTS if finding.fault.file == DEFAULTS else found.path
            findings.setdefault(at, []).append(finding.in_file(str(at)))
    told = (_once(found) if path.name == DEFAULTS else sorted(set(found)) for path, found in findings.items())
    return Checked(files=files, findings=tuple(finding for found in told for finding in found))


def _second(found: OfFile, owners: dict[tuple[Path, str], str]) -> Sequence[Finding]:
    """Return what is wrong with a service that another file has; the first that asks has it."""
    if found.service is None:
        return ()
    owner = owners.setdefault((found.home, found.service), found.name)
    return () if owner == found.name else _of_policy([second_of(found.service, found.name, owner)])


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

    `service` is whom a policy without faults describes, else None.
    """

    path: Path
    home: Path
    name: str
    service: str | None
    findings: tuple[Finding, ...]


def check_files(paths: Sequence[Path], *, templates: GateTemplates, scrape: timedelta) -> list[OfFile]:
    """Check files one by one, as `check_policies` does; what they have in common it has to see."""
    directories: dict[Path, _Directory] = {}
    homes = {folder: _home(folder) for folder in {path.parent for path in paths}}
    found = []
    for path in paths:
        home = homes[path.parent]
        one = directories.setdefault(home, _Directory(path=home, templates=templates, scrape=scrape))
        found.append(one.check(path, is_template=home != path.parent))
    return found


@dataclass(frozen=True, kw_only=True)
class _Directory:
    """A directory of policies while its files are checked, with what they share."""

    path: Path
    templates: GateTemplates
    scrape: timedelta

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
        service = None
        try:
            text = read_text(path, file=name)
            if is_template:
                findings += self._template(text, name)
            elif name == DEFAULTS:
                findings += _of_policy(check_defaults(parse_defaults(text), self._all, self.own.broken))
            else:
                policy = self._policy(text, name, findings)
                service = policy.service
        except PolicyError as error:
            findings += _of_policy(error.faults)
        return OfFile(path=path, home=self.path, name=name, service=service, findings=tuple(findings))

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

    def _policy(self, text: str, name: str, findings: list[Finding]) -> Policy:
        """Return the policy of a text, and add what is found beside faults, for which PolicyError is raised."""
        resolved = resolve(text, file=name, inherited=self.inherited)
        lines = {name: text.splitlines()}
        if resolved.extends is not None:
            lines[DEFAULTS] = resolved.extends.text.splitlines()
        told_as = resolved.faults.told_as
        findings += check_entries(resolved.tree, self._whole, Lines(of=lines, told_as=told_as))
        policy = read_policy(resolved, templates=self._all, broken=self.own.broken)
        cautions = check_meaning(policy, resolved.tree, scrape=self.scrape)
        findings += (replace(finding, fault=told_as(finding.fault)) for finding in cautions)
        return policy
