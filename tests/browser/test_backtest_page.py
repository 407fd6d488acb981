"""The page of a backtest in a browser: nothing is wider than the screen, and its charts are drawn.

The pictures are left in `build/pages/`, to be looked at.
"""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from bot.backtest.cases import Question
from bot.backtest.fates import Was
from bot.backtest.replay import End
from bot.render.backtest_page import backtest_page
from tests.backtest.reports import RULES, a_judged, a_report, a_row, a_verdict
from tests.browser.chromium import _run, needs_chromium

pytestmark = [pytest.mark.browser, needs_chromium, pytest.mark.timeout(200)]

PICTURES = Path(__file__).parents[2] / "build" / "pages"
MEASURE = """<script>
const wide = [...document.querySelectorAll("main > *, article > *")].filter((one) =>
  one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 80));
const kept = document.createElement("pre");
kept.id = "measured";
kept.textContent = JSON.stringify({wide, scroll: document.documentElement.scrollWidth - innerWidth,
  drawn: [...document.querySelectorAll("svg")].map((one) => one.getBoundingClientRect().height > 60),
  paper: getComputedStyle(document.body).backgroundColor});
document.body.append(kept);
</script></body>"""


def a_page() -> str:
    verdicts = [a_verdict(rule, bad=2, gaps=True) for rule in RULES]
    long = a_row(
        "v1.3.0-" + "0123456789abcdef" * 6, end=End.STOPPED, was=Was.BAD, rule="http-errors", verdicts=verdicts
    )
    rows = (a_row(verdicts=[a_verdict()]), long, a_row("1.4", question=Question.WATCH, end=End.KEPT))
    return backtest_page(a_report(a_judged(*rows), a_judged(a_row("1.4"))))


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (500, True)], ids=["wide and light", "narrow and dark"])
def test_the_page_fits_the_screen_and_draws_its_charts(tmp_path: Path, width: int, dark: bool) -> None:
    page, copy = tmp_path / "page.html", tmp_path / "copy.html"
    page.write_text(a_page(), encoding="utf-8")
    measured = re.sub(r"<meta http-equiv[^>]*>", "", a_page()).replace("</body>", MEASURE)
    copy.write_text(measured, encoding="utf-8")
    flags = [f"--window-size={width},1400", *(["--blink-settings=preferredColorScheme=0"] if dark else [])]
    found = re.search(r'<pre id="measured">(.*?)</pre>', _run(tmp_path, *flags, "--dump-dom", copy.as_uri()))
    assert found is not None
    shown = json.loads(unescape(found[1]))
    assert (shown["wide"], shown["scroll"]) == ([], 0)
    assert shown["drawn"] == [True] * 5
    assert shown["paper"] == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
    PICTURES.mkdir(parents=True, exist_ok=True)
    _run(tmp_path, *flags, f"--screenshot={PICTURES / f'backtest-{width}.png'}", page.as_uri())
