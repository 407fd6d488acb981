"""The `edit:` of a stage: which value of which file says what runs there. Each kind has its own mapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.domain.edit import (
    ArgoApplicationEdit,
    DocumentWhere,
    Edit,
    EditRefused,
    HelmEdit,
    Holds,
    KustomizeEdit,
    ManifestEdit,
    PathEdit,
    RegexEdit,
    check_pattern,
    parse_path,
)
from bot.domain.edit.kinds import ANY_DOCUMENT
from bot.domain.edit.path import EXPECTED_PATH
from bot.policy.grammar import IMAGE
from bot.policy.grammar import parse_path as parse_file
from bot.policy.reading import Section, matching, one_of, one_of_these, parsed, shown

A_FILE = "a path inside the repository, without .. or .git"
_SHORT = "a path inside the repository, or a mapping with file:"
_A_NAME = "a text"


def read_edit(section: Section | None) -> Edit | None:
    """Read the one kind of edit that a stage has; note faults and return None if there is none, or several."""
    if section is None:
        return None
    named = [kind for kind in section.entries if kind in _KINDS]
    for kind in _KINDS:
        section.get(kind)
    section.finish()
    if len(named) != 1:
        found = " and ".join(named) or "none of them"
        section.faults.note(section.value, section.path, found, f"exactly one of {', '.join(_KINDS)}")
        return None
    return _KINDS[named[0]](section, named[0])


def _kustomize(section: Section, kind: str) -> Edit | None:
    opened = _open(section, kind)
    if not isinstance(opened, Section):
        return KustomizeEdit(file=opened) if opened else None
    file = _file(opened)
    name = opened.read("name", matching(IMAGE), "an image's name") if opened.get("name") else None
    create = _flag(opened, "create")
    pin, document = _pin(opened), _document(opened)
    opened.finish()
    return KustomizeEdit(file=file, name=name, create=create, pin=pin, document=document) if file else None


def _helm(section: Section, kind: str) -> Edit | None:
    opened = Section.of(section.entries[kind], section.at(kind), section.faults)
    if opened is None:
        return None
    file = _file(opened)
    tag, image = _optional_path(opened, "tag"), _optional_path(opened, "image")
    digest, repository = _optional_path(opened, "digest"), _optional_path(opened, "repository")
    pin, document = _pin(opened), _document(opened)
    opened.finish()
    if (opened.get("tag") is None) == (opened.get("image") is None):
        found = "neither" if opened.get("tag") is None else "both"
        opened.faults.note(opened.value, opened.path, found, f"tag or image: {EXPECTED_PATH}")
        return None
    if image is not None and (opened.get("digest") or opened.get("repository")):
        expected = "image alone, since it holds repository, tag and digest in one text"
        opened.faults.note(opened.value, opened.path, "digest or repository beside image", expected)
    if file is None or (tag is None and image is None):
        return None
    return HelmEdit(file=file, tag=tag, image=image, digest=digest, repository=repository, pin=pin, document=document)


def _manifest(section: Section, kind: str) -> Edit | None:
    opened = _open(section, kind)
    if not isinstance(opened, Section):
        return ManifestEdit(file=opened) if opened else None
    file = _file(opened)
    container = _optional_text(opened, "container")
    pin, document = _pin(opened), _document(opened)
    opened.finish()
    return ManifestEdit(file=file, container=container, pin=pin, document=document) if file else None


def _application(section: Section, kind: str) -> Edit | None:
    opened = Section.of(section.entries[kind], section.at(kind), section.faults)
    if opened is None:
        return None
    file, application, source = _file(opened), _optional_text(opened, "name"), _optional_text(opened, "source")
    holds = opened.read("holds", Holds, f"one of {', '.join(Holds)}")
    path = opened.read("path", _edit_path, EXPECTED_PATH) if holds is Holds.HELM else None
    pin = _pin(opened)
    opened.finish()
    if file is None or holds is None or (holds is Holds.HELM and path is None):
        return None
    return ArgoApplicationEdit(file=file, holds=holds, path=path, application=application, source=source, pin=pin)


def _path(section: Section, kind: str) -> Edit | None:
    opened = Section.of(section.entries[kind], section.at(kind), section.faults)
    if opened is None:
        return None
    file, path = _file(opened), opened.read("path", _edit_path, EXPECTED_PATH)
    pin, document = _pin(opened), _document(opened)
    opened.finish()
    return PathEdit(file=file, path=path, pin=pin, document=document) if file and path else None


def _regex(section: Section, kind: str) -> Edit | None:
    opened = Section.of(section.entries[kind], section.at(kind), section.faults)
    if opened is None:
        return None
    file = _file(opened)
    pattern = opened.read("pattern", str, "an RE2 pattern with one group around the tag")
    pin = _pin(opened)
    opened.finish()
    wrong = check_pattern(pattern) if pattern is not None else None
    if wrong is not None:
        expected = "an RE2 pattern with exactly one group, around the tag"
        opened.faults.note(opened.entries["pattern"], opened.at("pattern"), wrong, expected)
    return RegexEdit(file=file, pattern=pattern, pin=pin) if file and pattern and wrong is None else None


_KINDS: Mapping[str, Callable[[Section, str], Edit | None]] = {
    "kustomize": _kustomize,
    "helm": _helm,
    "manifest": _manifest,
    "argocd-application": _application,
    "path": _path,
    "regex": _regex,
}


def _open(section: Section, kind: str) -> Section | str | None:
    """Open a kind that may be a path alone; return the path, the mapping, or None after a fault."""
    value = section.entries[kind]
    if value.kind == "mapping":
        return Section.of(value, section.at(kind), section.faults)
    return parsed(value, section.at(kind), section.faults, parse_file, _SHORT)


def _file(section: Section) -> str | None:
    return section.read("file", parse_file, A_FILE)


def _optional_path(section: Section, key: str) -> str | None:
    return section.read(key, _edit_path, EXPECTED_PATH) if section.get(key) else None


def _optional_text(section: Section, key: str) -> str | None:
    return section.read(key, matching(r"[^\n]{1,253}"), _A_NAME) if section.get(key) else None


def _edit_path(text: str) -> str:
    try:
        parse_path(text)
    except EditRefused as error:
        raise ValueError(text) from error
    return text


def _flag(section: Section, key: str) -> bool:
    return section.read(key, one_of(("true", "false")), "true or false", default="false") == "true"


def _pin(section: Section) -> bool:
    return section.read("pin", one_of(("digest", "none")), "digest or none", default="none") == "digest"


def _document(section: Section) -> DocumentWhere:
    opened = section.section("document")
    if opened is None:
        return ANY_DOCUMENT
    kind, name, namespace = (_optional_text(opened, key) for key in ("kind", "name", "namespace"))
    index = opened.read("index", _count, "a number from 0") if opened.get("index") else None
    opened.finish()
    if not opened.entries:
        expected = one_of_these("", ("kind", "name", "namespace", "index"))
        opened.faults.note(opened.value, opened.path, shown(opened.value), expected)
    return DocumentWhere(kind=kind, name=name, namespace=namespace, index=index)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise ValueError(text)
    return int(text)
