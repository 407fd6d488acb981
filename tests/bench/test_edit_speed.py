"""One tag set in a values file of 20,000 lines: the bot's edit, a round trip through ruamel.yaml, and yq."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from bot.domain.edit import Reading
from tests.bench.conftest import Show
from tests.bench.measure import Watch, ratio, render_table, seconds
from tests.bench.ours import Bump, edit_text

LINES = 20_000
ROUNDS = 3
BUMP = Bump(path="values.yaml", image="acme/service-0500", tag="v9.9.9")
AT = ("services", "service-0500", "image", "tag")
_WORDS = ("takes", "orders", "payments", "from", "the", "shop", "and", "sends", "them", "to", "a", "queue")
READING = Reading(size_bytes=16 * 1024 * 1024)

EditText = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The best time of an edit, and how many lines it took away and put in."""

    name: str
    seconds: float
    removed: int
    added: int


@pytest.mark.timeout(900)
def test_one_tag_in_a_large_file(tmp_path: Path, show: Show) -> None:
    text = make_values()
    editors: dict[str, EditText] = {"ours": edit_with_ours, "ruamel.yaml, round trip": edit_with_ruamel}
    if shutil.which("yq"):
        editors |= {f"yq ({ask_yq_version()})": edit_with_yq}
    measured = [measure(name, edit, text, tmp_path) for name, edit in editors.items()]
    show(render(measured, text))
    ours = measured[0]
    assert (ours.removed, ours.added) == (1, 1)


def edit_with_ours(text: str) -> str:
    return edit_text(text, BUMP, at=".".join(AT), reading=READING)


def edit_with_ruamel(text: str) -> str:
    yaml = YAML()
    yaml.preserve_quotes = True
    # Else it would also fold every long line.
    yaml.width = 4096
    document = yaml.load(text)
    service = document["services"]["service-0500"]
    service["image"]["tag"] = BUMP.tag
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def edit_with_yq(text: str) -> str:
    """Edit with the yq that wraps jq."""
    program = "." + "".join(f'["{step}"]' for step in AT) + f' = "{BUMP.tag}"'
    done = subprocess.run(["yq", "-y", program], input=text, capture_output=True, text=True, check=True)
    return done.stdout


def ask_yq_version() -> str:
    done = subprocess.run(["yq", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def measure(name: str, edit: EditText, text: str, folder: Path) -> Measured:
    """Edit a few times and keep the best time."""
    times, edited = [], ""
    for _ in range(ROUNDS):
        watch = Watch()
        with watch.lap("edit"):
            edited = edit(text)
        times.append(watch.total)
    assert BUMP.tag in edited
    removed, added = count_changed_lines(text, edited, folder)
    return Measured(name=name, seconds=min(times), removed=removed, added=added)


def count_changed_lines(before: str, after: str, folder: Path) -> tuple[int, int]:
    """Count as `git diff` does."""
    old, new = folder / "old", folder / "new"
    old.write_text(before)
    new.write_text(after)
    command = ["git", "diff", "--no-index", "--numstat", str(old), str(new)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    added, removed, *_ = done.stdout.split()
    return int(removed), int(added)


def render(measured: list[Measured], text: str) -> str:
    best = measured[0].seconds
    rows = [
        (one.name, seconds(one.seconds), ratio(one.seconds, best), f"-{one.removed:,} +{one.added:,}")
        for one in measured
    ]
    title = f"One tag in a values.yaml of {text.count(chr(10)):,} lines, {len(text):,} bytes (best of {ROUNDS})"
    return render_table(title, ("edit", "seconds", "it/ours", "lines changed"), rows)


def make_values() -> str:
    """Make a values file as people write them: comments, both quotes, lists, flow style, uneven indents."""
    drawn = random.Random(20_260_301)
    lines = ["# Values of all services. Ask the platform team before you change the defaults.", "services:"]
    number = 0
    while len(lines) < LINES:
        lines.extend(_draw_service(drawn, f"service-{number:04}"))
        number += 1
    return "\n".join(lines[:LINES]) + "\n"


def _draw_service(drawn: random.Random, name: str) -> Iterator[str]:
    yield from ("", f"  # --- {name}: owned by team-{drawn.randrange(40):02}", f"  {name}:", "    image:")
    yield f"      repository: acme/{name}"
    tag = f"1.{drawn.randrange(90)}.{drawn.randrange(90)}"
    yield drawn.choice((f"      tag: v{tag}", f'      tag: "{tag}"'))
    yield f"    replicas: {drawn.randint(1, 9)}   # raised by hand"
    yield "    resources: {limits: {cpu: 500m, memory: 1Gi}, requests: {cpu: '0.25', memory: \"512Mi\"}}"
    yield f"    description: {' '.join(drawn.choices(_WORDS, k=14))}"
    yield "    env:"
    # Lists are indented in one service and not in the next, as several authors do it.
    indent = " " * drawn.choice((4, 6))
    for place in range(drawn.randint(2, 6)):
        yield f"{indent}- name: SETTING_{place}"
        yield f"{indent}  value: {drawn.choice(('on', 'yes', '007', '1e3'))!r}"
    yield from ("    notes: |", "      Deployed by hand before 2024.", "      Do not remove.")
