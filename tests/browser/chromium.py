"""Open a page in a headless Chromium, once to measure what it came to and once to take a picture of it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

WIDTH, HEIGHT = 1280, 900
DEADLINE_SECONDS = 90
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PROGRAM = next((found for name in _NAMES if (found := shutil.which(name))), None)
_FIXED = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars")
needs_chromium = pytest.mark.skipif(_PROGRAM is None, reason="no chromium on the PATH")

_MEASURE = """
<script>
const bottom = (one) => one.getBoundingClientRect().bottom;
const words = (cell) => cell.innerText.trim().replace(/\\s/g, " ");
const prose = (one) => { const copy = one.cloneNode(true);
  copy.querySelectorAll("code, pre").forEach((part) => part.remove()); return copy.textContent; };
const section = document.querySelector("article.mine .markdown");
const found = {
  width: document.documentElement.clientWidth,
  scroll: document.documentElement.scrollWidth,
  beyond: [...document.querySelectorAll("main *")].filter((one) =>
    one.checkVisibility() && (one.getBoundingClientRect().right > innerWidth
      || one.tagName === "TABLE" && one.scrollWidth > one.clientWidth)).map((one) => one.outerHTML.slice(0, 80)),
  badge: document.querySelector(".badge").textContent,
  answers: [section.querySelector("p"), ...section.querySelector("ul").children].map((one) =>
    ({text: one.innerText, bottom: bottom(one)})),
  tables: [...document.querySelectorAll(".markdown table")].filter((one) => one.checkVisibility()).map((one) =>
    [...one.querySelectorAll("tr")].map((row) => [...row.children].map(words))),
  headings: [...section.querySelectorAll("h3")].map((one) => one.innerText),
  details: document.querySelectorAll(".markdown details").length,
  open: document.querySelectorAll("details[open]").length,
  prose: [...document.querySelectorAll(".markdown")].map(prose).join("\\n"),
  checks: document.querySelector("#checks").innerText,
};
const kept = document.createElement("pre");
kept.id = "measured";
kept.textContent = JSON.stringify(found);
document.body.append(kept);
</script>
"""
_MEASURED = re.compile(r'<pre id="measured">(.*?)</pre>', re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """A page as a browser laid it out; pixels are from the top left."""

    width: int
    scroll: int
    beyond: list[str]
    badge: str
    answers: list[dict[str, Any]]
    tables: list[list[list[str]]]
    headings: list[str]
    details: int
    open: int
    prose: str
    checks: str

    @property
    def first_screen(self) -> list[str]:
        """The verdict and the answers below it."""
        return [str(answer["text"]) for answer in self.answers]


def open_page(url: str, folder: Path, *, picture: Path) -> Shown:
    """Measure a page in a copy of it, since the page itself lets no script run; take the picture of the page itself."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "page.html"
    answer = httpx.get(url, trust_env=False, follow_redirects=True).raise_for_status()
    copy.write_text(answer.text.replace("</body>", f"{_MEASURE}</body>"), encoding="utf-8")
    dom = _run(folder, "--dump-dom", copy.as_uri())
    measured = _MEASURED.search(dom)
    assert measured is not None, dom[-2000:]
    picture.parent.mkdir(parents=True, exist_ok=True)
    _run(folder, f"--screenshot={picture}", url)
    return Shown(**json.loads(html.unescape(measured[1])))


def _run(folder: Path, *arguments: str) -> str:
    assert _PROGRAM is not None
    fixed = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--hide-scrollbars",
        f"--window-size={WIDTH},{HEIGHT}",
    ]
    command = [_PROGRAM, *fixed, f"--user-data-dir={folder / 'profile'}", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, timeout=DEADLINE_SECONDS)
    return done.stdout.decode()
