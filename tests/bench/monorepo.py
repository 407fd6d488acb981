"""A synthetic GitOps monorepo, made by `git fast-import` and packed as a hosting server packs; the same every time."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

from tests.adapters.gitserver import NOW, GitServer

REPOSITORY = "acme/deploy"
STAGES = ("production", "staging", "dev")
_TEAMS = 40
_NAMES = ("values", "kustomization", "deployment", "service", "ingress", "hpa", "pdb", "networkpolicy")
# fmt: off
_WORDS = (
    "timeout", "retries", "endpoint", "bucket", "limit", "request", "memory", "cpu", "region", "zone", "cache",
    "session", "worker", "queue", "batch", "window", "secret", "mount", "probe", "liveness", "readiness", "startup",
    "grace", "period", "surge", "policy", "selector", "label", "trace", "sample",
)
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large a repository is. A service has at least ten files, so that a small repository has fewer services."""

    files: int
    commits: int = 2_000
    seed: int = 20_260_301

    @property
    def services(self) -> int:
        """How many services there are."""
        return max(1, min(1_000, self.files // 10))

    def paths(self) -> list[str]:
        """Return every path; those of one service differ by stage first, then by name."""
        return [
            f"{self._folder(place % self.services)}/{_place_in_service(place // self.services)}"
            for place in range(self.files)
        ]

    def service(self, number: int) -> str:
        """Return a service's name."""
        return f"service-{number:04}"

    def values_path(self, number: int) -> str:
        """Return where the values of a service in production lie."""
        return f"{self._folder(number)}/production/values.yaml"

    def image(self, number: int) -> str:
        """Return the image that a service runs."""
        return f"acme/{self.service(number)}"

    def _folder(self, number: int) -> str:
        return f"apps/team-{number % _TEAMS:02}/{self.service(number)}"


def _place_in_service(place: int) -> str:
    stage, file = STAGES[place % len(STAGES)], place // len(STAGES)
    if file < len(_NAMES):
        return f"{stage}/{_NAMES[file]}.yaml"
    return f"{stage}/config/part-{file - len(_NAMES):02}.yaml"


class Built:
    """A repository that was built once. `copy_to` hands out copies whose packs are hard links."""

    def __init__(self, root: Path, shape: Shape) -> None:
        self.shape = shape
        self._server = GitServer(root, REPOSITORY)
        _fill(self._server.directory, shape)
        # Bitmaps and a commit graph, as hosting servers keep them.
        self._server.git("repack", "-a", "-d", "-q", "--write-bitmap-index", "--threads=0")
        self._server.git("commit-graph", "write", "--reachable", "--changed-paths", "--no-progress")
        self._server.git("pack-refs", "--all", "--prune")

    def copy_to(self, root: Path) -> GitServer:
        """Make a server below `root` that holds the same."""
        copy = GitServer(root, REPOSITORY)
        objects = copy.directory / "objects"
        shutil.rmtree(objects)
        shutil.copytree(self._server.directory / "objects", objects, copy_function=os.link)
        shutil.copy(self._server.directory / "packed-refs", copy.directory / "packed-refs")
        return copy


def _fill(directory: Path, shape: Shape) -> None:
    command = ["git", f"--git-dir={directory}", "fast-import", "--quiet", "--done", "--depth=10"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        _write_stream(process.stdin, shape)
        process.stdin.close()
        assert process.wait() == 0, "git fast-import failed"


def _write_stream(stream: IO[bytes], shape: Shape) -> None:
    drawn = random.Random(shape.seed)
    paths = shape.paths()
    texts = [_first_text(drawn, shape, place, path) for place, path in enumerate(paths)]
    _write_commit(stream, 0, dict(zip(paths, texts, strict=True)))
    for number in range(1, shape.commits):
        places = drawn.sample(range(shape.files), drawn.randint(1, 3))
        for place in places:
            texts[place] = _changed(drawn, texts[place])
        _write_commit(stream, number, {paths[place]: texts[place] for place in places})
    stream.write(b"done\n")


def _write_commit(stream: IO[bytes], number: int, files: Mapping[str, bytes]) -> None:
    at = int((NOW - timedelta(days=100) + number * timedelta(hours=1)).timestamp())
    message = f"change {number}\n".encode()
    stream.write(b"commit refs/heads/main\n")
    stream.write(f"committer Dana Dev <dana@acme.test> {at} +0000\ndata {len(message)}\n".encode() + message)
    for path, text in files.items():
        stream.write(f"M 100644 inline {path}\ndata {len(text)}\n".encode() + text + b"\n")
    stream.write(b"\n")


def _first_text(drawn: random.Random, shape: Shape, place: int, path: str) -> bytes:
    service = place % shape.services
    head = f"# {path}\n"
    if path.endswith("/values.yaml"):
        head += f"image:\n  tag: {_draw_tag(drawn)}\n  repository: {shape.image(service)}\n"
    lines = "".join(_draw_lines(drawn, drawn.randint(300, 1_400) - len(head)))
    return f"{head}settings:\n{lines}revision: {drawn.getrandbits(32):08x}\n".encode()


def _draw_lines(drawn: random.Random, size: int) -> Iterator[str]:
    """Draw settings of about `size` bytes: words that come again and values that do not."""
    while size > 0:
        bits = drawn.getrandbits(64)
        first, second = _WORDS[bits % len(_WORDS)], _WORDS[(bits >> 8) % len(_WORDS)]
        line = f"  {first}_{second}_{(bits >> 16) & 0xFFF}: {bits >> 32:08x}\n"
        yield line
        size -= len(line)


def _changed(drawn: random.Random, text: bytes) -> bytes:
    """Change one line: the tag where there is one, else the revision."""
    lines = text.split(b"\n")
    place = next((place for place, line in enumerate(lines) if line.startswith(b"  tag: ")), None)
    if place is None:
        lines[-2] = f"revision: {drawn.getrandbits(32):08x}".encode()
    else:
        lines[place] = f"  tag: {_draw_tag(drawn)}".encode()
    return b"\n".join(lines)


def _draw_tag(drawn: random.Random) -> str:
    return f"v1.{drawn.randrange(100)}.{drawn.randrange(1_000)}"
