"""`liftlock edit`: set an image's version in files, with the very edits that the bot makes.

All files are planned before one is written; a refusal leaves all of them as they were. A file is replaced whole, by a
rename, so that nobody ever sees half of one.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.faults import NOTHING_TO_DO, WRONG_USE
from bot.domain.edit import (
    ArgoApplicationEdit,
    Change,
    DocumentWhere,
    Edit,
    Edited,
    EditRefused,
    HelmEdit,
    Holds,
    KustomizeEdit,
    ManifestEdit,
    PathEdit,
    Reading,
    RegexEdit,
    Wanted,
    guess_kind,
    visible,
    write_image,
)

_MAX_BYTES = 1024 * 1024
_ENDS = "\r\n"


class Kind(StrEnum):
    """The kinds of edit by the names that policies give them."""

    KUSTOMIZE = "kustomize"
    HELM = "helm"
    MANIFEST = "manifest"
    ARGOCD_APPLICATION = "argocd-application"
    PATH = "path"
    REGEX = "regex"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """What the command line says of every file."""

    image: str
    kind: Kind | None
    path: str | None
    pattern: str | None
    name: str | None
    container: str | None
    source: str | None
    document: DocumentWhere
    create: bool
    pin: bool
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """One file's edit, before anything is written."""

    file: Path
    before: str
    edited: Edited


def edit(  # noqa: PLR0917 - Typer makes each argument an option, by name
    files: Annotated[list[Path], typer.Argument(help="The files to edit.", show_default=False)],
    to: Annotated[str, typer.Option("--to", metavar="TAG[@DIGEST]", help="The version to set.", show_default=False)],
    image: Annotated[
        str, typer.Option("--image", metavar="NAME", help="The image, as files name it; needed to find it by name.")
    ] = "",
    kind: Annotated[Kind | None, typer.Option(help="The kind of file, where its content does not tell.")] = None,
    path: Annotated[
        str | None, typer.Option(metavar="PATH", help="Where the value stands: image.tag, images[name=web].tag.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(metavar="RE2", help="A pattern with one group around the tag, for other formats.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The kustomize entry's or the Application's name, if that is another one.")
    ] = None,
    new_name: Annotated[str | None, typer.Option(metavar="NAME", help="Set the image's name, too.")] = None,
    container: Annotated[str | None, typer.Option(help="Only the container of this name.")] = None,
    source: Annotated[str | None, typer.Option(help="Only the Application's source of this name, path or URL.")] = None,
    document: Annotated[
        str | None, typer.Option(metavar="KEY=VALUE,…", help="Only documents of this kind, name, namespace, index.")
    ] = None,
    create: Annotated[bool, typer.Option("--create", help="Add a kustomize entry that is missing.")] = False,
    max_bytes: Annotated[int, typer.Option(min=1, help="Refuse larger files.")] = _MAX_BYTES,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; say what would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print the changed lines.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the changes as JSON.")] = False,
) -> None:
    """Set an image's version in files, changing nothing but its bytes.

    Ends with 0 if a file changed (or would), 3 if all said so already, 2 if one was refused: then none is changed.
    """
    tag, at, digest = to.partition("@")
    wanted = Wanted(tag=tag, digest=digest if at else None, name=new_name)
    try:
        options = _Options(
            image=image,
            kind=kind,
            path=path,
            pattern=pattern,
            name=name,
            container=container,
            source=source,
            document=_parse_document(document),
            create=create,
            pin=bool(at),
            reading=Reading.up_to(max_bytes),
        )
        planned = [_plan(file, options, wanted) for file in files]
    except EditRefused as refused:
        typer.echo(f"liftlock: {refused}", err=True)
        raise typer.Exit(WRONG_USE) from None
    if not check:
        _write_all(planned)
    _report(planned, check=check, diff=diff, as_json=as_json)
    if not any(one.edited.changes for one in planned):
        raise typer.Exit(NOTHING_TO_DO)


# --- planning ---


def _plan(file: Path, options: _Options, wanted: Wanted) -> _Planned:
    before = _read(file, options.reading)
    chosen = _choose(str(file), before, options)
    return _Planned(
        file=file, before=before, edited=write_image(chosen, options.image, before, wanted, reading=options.reading)
    )


def _read(file: Path, reading: Reading) -> str:
    try:
        facts = file.stat()
        is_readable = stat.S_ISREG(facts.st_mode) and facts.st_size <= reading.size_bytes
        content = file.read_bytes() if is_readable else b""
    except OSError as error:
        raise _refused(file, error.strerror or type(error).__name__) from error
    if not stat.S_ISREG(facts.st_mode):
        raise _refused(file, "this is a folder" if stat.S_ISDIR(facts.st_mode) else "this is no regular file")
    if not is_readable:
        size, most = facts.st_size, reading.size_bytes
        raise _refused(file, f"the file has {size:,} bytes, more than the {most:,} that are read")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(file, f"the file is not UTF-8 text (byte {error.start})") from error


def _refused(file: Path, reason: str) -> EditRefused:
    return EditRefused(file=str(file), path="", reason=reason)


def _choose(file: str, text: str, options: _Options) -> Edit:
    """Return the edit that the options mean for a file; raise EditRefused if they leave that open."""
    kind = options.kind or _kind_of(file, text, options)
    needs_image = kind in (Kind.KUSTOMIZE, Kind.MANIFEST) or (kind is Kind.ARGOCD_APPLICATION and not options.path)
    if needs_image and not options.image:
        raise EditRefused(file=file, path="", reason=f"a {kind} file needs --image NAME")
    if kind in (Kind.HELM, Kind.PATH) and not options.path:
        raise EditRefused(file=file, path="", reason=f"a {kind} file needs --path PATH")
    if kind is Kind.REGEX and not options.pattern:
        raise EditRefused(file=file, path="", reason="a regex edit needs --pattern RE2")
    return _edit_of(file, kind, options)


def _kind_of(file: str, text: str, options: _Options) -> Kind:
    if options.pattern is not None:
        return Kind.REGEX
    guessed = guess_kind(file, text, reading=options.reading) if options.path is None or options.image else None
    if guessed is not None and (options.path is None or guessed == Kind.ARGOCD_APPLICATION):
        return Kind(guessed)
    if options.path is not None:
        return Kind.PATH
    reason = "the file does not tell what kind it is; say --kind, --path or --pattern"
    raise EditRefused(file=file, path="", reason=reason)


def _edit_of(file: str, kind: Kind, options: _Options) -> Edit:
    pin, document, path = options.pin, options.document, options.path or ""
    if kind is Kind.KUSTOMIZE:
        return KustomizeEdit(file=file, name=options.name, create=options.create, pin=pin, document=document)
    if kind is Kind.HELM:
        return HelmEdit(file=file, tag=path, pin=pin, document=document)
    if kind is Kind.MANIFEST:
        return ManifestEdit(file=file, container=options.container, pin=pin, document=document)
    if kind is Kind.REGEX:
        return RegexEdit(file=file, pattern=options.pattern or "", pin=pin)
    if kind is Kind.PATH:
        return PathEdit(file=file, path=path, pin=pin, document=document)
    holds = Holds.HELM if path else Holds.KUSTOMIZE
    if path == "targetRevision":
        holds = Holds.TARGET_REVISION
    return ArgoApplicationEdit(
        file=file, holds=holds, path=path or None, application=options.name, source=options.source, pin=pin
    )


def _parse_document(text: str | None) -> DocumentWhere:
    said = dict.fromkeys(("kind", "name", "namespace", "index"), "")
    for part in (text or "").split(",") if text else ():
        key, sign, value = part.partition("=")
        if key not in said or not sign or not value or (key == "index" and not _is_count(value)):
            reason = f"--document {part!r}: expected kind=, name=, namespace= or index= with a value"
            raise EditRefused(file="", path="", reason=reason)
        said[key] = value
    return DocumentWhere(
        kind=said["kind"] or None,
        name=said["name"] or None,
        namespace=said["namespace"] or None,
        index=int(said["index"]) if said["index"] else None,
    )


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 6


# --- writing ---


def _write_all(planned: Sequence[_Planned]) -> None:
    """Write each changed file, or none: what was put in its place before a failure is put back."""
    changed = [(one, Path(os.path.realpath(one.file))) for one in planned if one.edited.changes]
    done: list[tuple[_Planned, Path]] = []
    failed = ""
    with contextlib.ExitStack() as stack:
        try:
            # All are laid beside the old ones before the first is put in its place.
            laid = []
            for one, target in changed:
                failed = str(one.file)
                laid.append((_lay(stack, target, one.edited.text), one, target))
            for new, one, target in laid:
                failed = str(one.file)
                new.replace(target)
                done.append((one, target))
        except OSError as error:
            kept = _put_back(stack, done)
            reason = f"{visible(failed)}: not written ({error.strerror}); {kept}"
            typer.echo(f"liftlock: {reason}", err=True)
            raise typer.Exit(WRONG_USE) from None


def _put_back(stack: contextlib.ExitStack, done: Sequence[tuple[_Planned, Path]]) -> str:
    """Restore files that were replaced already; return what became of it, in words."""
    left = []
    for one, target in done:
        try:
            _lay(stack, target, one.before).replace(target)
        except OSError:
            left.append(visible(str(one.file)))
    return f"these stay changed: {', '.join(left)}" if left else "no file is changed"


def _lay(stack: contextlib.ExitStack, target: Path, text: str) -> Path:
    """Write the new text beside the old file, with its mode, and its owner where that is allowed."""
    facts = target.stat()
    handle, name = tempfile.mkstemp(prefix=".liftlock-", dir=target.parent)
    new = Path(name)
    stack.callback(new.unlink, missing_ok=True)
    with os.fdopen(handle, "wb") as stream:
        stream.write(text.encode("utf-8"))
        stream.flush()
        os.fsync(stream.fileno())
    with contextlib.suppress(PermissionError):
        os.chown(new, facts.st_uid, facts.st_gid)
    new.chmod(stat.S_IMODE(facts.st_mode))
    return new


# --- telling ---


def _report(planned: Sequence[_Planned], *, check: bool, diff: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"written": not check, "files": [_as_json(one) for one in planned]}, indent=2))
        return
    for one in planned:
        for change in one.edited.changes:
            typer.echo(_sentence(one.file, change, check=check))
        if not one.edited.changes:
            typer.echo(f"{_seen(str(one.file))}: says so already")
        elif diff:
            typer.echo(_diff(one), nl=False)


def _as_json(one: _Planned) -> dict[str, object]:
    changes = [
        {"path": change.path, "line": change.line, "old": change.old, "new": change.new}
        for change in one.edited.changes
    ]
    return {"file": str(one.file), "changes": changes}


def _sentence(file: Path, change: Change, *, check: bool) -> str:
    verb = "would go" if check else "went"
    old = f"from {change.old} to" if change.old else "to"
    return _seen(f"{file}:{change.line}: {change.path} {verb} {old} {change.new}")


def _diff(one: _Planned) -> str:
    before, after = (text.splitlines(keepends=True) for text in (one.before, one.edited.text))
    shown = [
        _seen(line.rstrip("\r\n")) for line in difflib.unified_diff(before, after, f"a/{one.file}", f"b/{one.file}")
    ]
    return "".join(f"{line}\n" for line in shown)


def _seen(text: str) -> str:
    """Show a file's own characters, tabs too, so that none of them can command the terminal."""
    return "\t".join(visible(part) for part in text.split("\t"))
