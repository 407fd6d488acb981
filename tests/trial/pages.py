"""Pages of the documentation, played as a new user would: files written, changes made, commands run."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from bot.cli.app import app

_BLOCK = re.compile(r"```(yaml|diff|console)\n(.*?)```", re.DOTALL)
_FILE = re.compile(r"[Ii]n `([a-z./]+)`:\n\n\Z")


def assert_prints(path: Path) -> None:
    """Assert that a page prints what its commands print; with LIFTLOCK_WRITE_GOLDEN=1 it is written anew."""
    found = played(path.read_text(encoding="utf-8"))
    if os.environ.get("LIFTLOCK_WRITE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def changed(text: str, change: str) -> str:
    """Make a change: what stands behind ` ` and `-` is there once, and becomes what stands behind ` ` and `+`."""
    lines = change.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(old) == 1, f"the change fits {text.count(old)} times: {old}"
    return text.replace(old, new)


def ran(command: str) -> str:
    """Run a command of the page here, and return what it prints."""
    words = shlex.split(command.removeprefix("$ liftlock "))
    target = words[-1] if ">" in words else None
    output = CliRunner().invoke(app, words[:-2] if target else words).output
    if target is None:
        return output
    Path(target).write_text(output)
    return ""


def played(page: str) -> str:
    """Return the page with the outputs that its commands have."""
    files: list[Path] = []

    def play(block: re.Match[str]) -> str:
        kind, content = block.groups()
        if kind == "console":
            command = content.splitlines()[0]
            return f"```console\n{command}\n{ran(command)}```"
        named = _FILE.search(page[: block.start()])
        if kind == "yaml" and named is not None:
            files.append(Path(named[1]))
            files[-1].write_text(content)
        if kind == "diff":
            # A change is of the file that it fits.
            (path,) = [one for one in files if content.splitlines()[-1][1:] in changed_or_not(one, content)]
            path.write_text(changed(path.read_text(), content))
        return block.group()

    return _BLOCK.sub(play, page)


def changed_or_not(path: Path, change: str) -> str:
    try:
        return changed(path.read_text(), change)
    except AssertionError:
        return ""
