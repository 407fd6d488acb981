"""A backtest as text, as a page and as JSON: what stands in it, and that nothing from outside acts in it."""

from __future__ import annotations

import html.parser
import json
import re
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from bot.backtest.cases import Question
from bot.backtest.fates import Was
from bot.backtest.replay import End, InShadow
from bot.domain.rules import MeasuredRule
from bot.render.backtest_chart import charts
from bot.render.backtest_json import backtest_json
from bot.render.backtest_page import backtest_page
from bot.render.backtest_table import backtest_lines
from bot.render.backtest_words import came_to, gained, span
from tests.backtest.reports import RULES, a_judged, a_report, a_row, a_verdict
from tests.builders import MINUTE, NOON, a_count_gate

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'};</style><h1>x",
    "a\nb\x1b[31mred\x07",
    "evil\u202egpj.exe",
    "zero\u200bwidth",
    "&lt;b&gt;",
    "]]><!--",
)
BAD = a_row(
    "1.3",
    end=End.STOPPED,
    was=Was.BAD,
    reason="http-errors: 30 of 300 bad",
    sentence="taken out of staging by Olga after 1h, back to 1.2",
    rule="http-errors",
)


def text(*rows: object) -> str:
    return "\n".join(backtest_lines(a_report(a_judged(*rows))))  # type: ignore[arg-type]


def test_the_text_has_each_release_with_its_reason_and_the_table() -> None:
    assert text(a_row(), BAD) == (
        "checkout: 2 releases from 2026-03-01 12:00 to 2026-03-03 12:00 UTC\n\n"
        "staging → production\n"
        "  release  came (UTC)        the policy          it was\n"
        "  1.1      2026-03-02 12:00  promoted after 29m  good    30m sooner\n"
        "  1.3      2026-03-02 12:00  stopped after 29m   bad     30m sooner\n"
        "      http-errors: 30 of 300 bad\n"
        "      really: moved on after 59m; taken out of staging by Olga after 1h, back to 1.2\n\n"
        "  releases\n"
        "                 let through  stopped  not moved  cannot tell\n"
        "    good                   1        0          0            0\n"
        "    bad                    0        1          0            0\n"
        "    cannot tell            0        0          0            0\n\n"
        "  staging → production\n"
        "                 promoted  stopped  held  replaced first  cannot tell\n"
        "    good                1        0     0               0            0\n"
        "    bad                 0        1     0               0            0\n"
        "    cannot tell         0        0     0               0            0\n\n"
        "No false alarm.\nNo miss.\nGood releases would have moved on 30m sooner than they did (the median).\n\n"
        "Not backtested:\n  production: nobody looks"
    )


def test_a_release_that_was_kept_although_nothing_was_measured_says_so() -> None:
    kept = a_row(end=End.KEPT, question=Question.WATCH, reason="no trigger fired until 13:00:00 UTC")
    blind = replace(kept, outcome=replace(kept.outcome, reason=f"{kept.outcome.reason}; http-errors: no data"))
    assert "http-errors: no data" in text(blind)
    assert "no trigger fired" not in text(kept)


def test_delays_and_what_the_shadow_would_have_done_are_told() -> None:
    shadow = InShadow(rule="strict", at=NOON, reason="2 of 3 bad")
    said = text(a_row(delays=["frozen until 14:00"], shadows=[shadow]))
    assert "first it was frozen until 14:00" in said
    assert "in the shadow, strict would have spoken against it at 2026-03-02 12:00: 2 of 3 bad" in said


def test_two_policies_stand_one_after_the_other_with_what_differs() -> None:
    new = a_judged(a_row(), replace(BAD, outcome=replace(BAD.outcome, end=End.HELD)), file="new.yaml")
    lines = backtest_lines(a_report(a_judged(a_row(), BAD), new))
    assert {"The policy in force: checkout.yaml", "The new policy: new.yaml", "What differs"} <= set(lines)
    assert "  1.3  staging → production  stopped after 29m (http-errors) → held after 29m (http-errors)" in lines
    same = backtest_lines(a_report(a_judged(BAD), a_judged(BAD)))
    assert "Nothing: both come to the same for every release." in same
    gone = backtest_lines(a_report(a_judged(BAD), a_judged()))
    assert any(line.endswith("stopped after 29m (http-errors) → not asked") for line in gone)


def test_a_duration_is_in_whole_seconds_and_from_an_hour_on_in_whole_minutes() -> None:
    assert [span(timedelta(seconds=one)) for one in (61.4, 3601, 0.2)] == ["1m 1s", "1h", "0s"]
    assert gained(replace(a_row(), moved_on_at=NOON + 30 * MINUTE)) == "at the same time"
    assert gained(replace(a_row(), moved_on_at=NOON + 20 * MINUTE)) == "10m later"
    assert came_to(a_row(is_live=False)) == "promoted"


def test_many_misses_are_counted_and_not_all_named() -> None:
    said = text(*(a_row(f"1.{number}", was=Was.BAD) for number in range(30)))
    assert "30 misses (bad releases that were let through): 1.0, 1.1" in said
    assert "and 10 more." in said


# --- the page --------------------------------------------------------------------------------------------------------


class Parsed(html.parser.HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("outside", HOSTILE)
def test_no_text_from_outside_acts_in_the_page_or_on_the_terminal(outside: str) -> None:
    """A tag, a rule, an author or a commit message, a reason, a file, what Argo CD said."""
    gate = a_count_gate(name=outside)
    row = a_row(
        outside,
        end=End.STOPPED,
        was=Was.BAD,
        reason=outside,
        sentence=f"taken out by {outside}",
        rule=outside,
        verdicts=[a_verdict(gate, bad=50)],
        shadows=[InShadow(rule=outside, at=NOON, reason=outside)],
        delays=[f"frozen: {outside}"],
    )
    plain = a_row("1.3", end=End.STOPPED, was=Was.BAD, reason="r", sentence="s", rule="r", verdicts=[a_verdict(bad=50)],
                  shadows=[InShadow(rule="r", at=NOON, reason="r")], delays=["frozen"])  # fmt: skip
    hostile = a_report(a_judged(row, file=outside, missing=[outside]), a_judged(file=outside))
    harmless = a_report(a_judged(plain, missing=["m"]), a_judged())
    page = backtest_page(hostile)
    assert Parsed(page).tags == Parsed(backtest_page(harmless)).tags
    assert Parsed(page).attributes == Parsed(backtest_page(harmless)).attributes
    lines = backtest_lines(hostile)
    assert not re.search(r"[\x00-\x1f\x7f\u200b\u202e]", "".join(lines) + page.replace("\n", ""))
    json.loads(json.dumps(backtest_json(hostile)))


def test_the_page_has_no_script_no_address_and_forbids_both() -> None:
    page = backtest_page(a_report(a_judged(BAD, a_row(is_live=False))))
    parsed = Parsed(page)
    assert "script" not in parsed.tags
    assert parsed.attributes.isdisjoint({"src", "href", "onclick", "style"})
    assert "default-src 'none'" in page
    assert 'lang="en"' in page
    assert "prefers-color-scheme: dark" in page
    assert "live since not known" in parsed.text


def test_the_page_of_two_policies_begins_with_what_differs() -> None:
    page = Parsed(backtest_page(a_report(a_judged(BAD), a_judged(a_row("1.3"))))).text
    assert page.index("What differs") < page.index("The policy in force") < page.index("The new policy")
    same = Parsed(backtest_page(a_report(a_judged(BAD), a_judged(BAD)))).text
    assert "Nothing: both come to the same for every release." in same


# --- charts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_each_kind_of_rule_has_a_chart_that_says_what_it_shows(rule: MeasuredRule) -> None:
    (chart,) = charts(a_row(verdicts=[a_verdict(rule, bad=20, gaps=True)]))
    figure = ET.fromstring(chart)  # noqa: S314 - our own text
    svg = figure.find("svg")
    assert svg is not None
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == svg.findtext("title")
    looks = [one.get("class") for one in svg.iter("rect")]
    assert len(looks) == 10
    assert looks.count("absent") == 4
    assert {"live", "policy", "really", "limit"} <= {str(one.get("class")) for one in svg.iter("line")}
    assert figure.findtext("figcaption") == rule.name


def test_what_is_beyond_the_limit_stands_above_its_line() -> None:
    (chart,) = charts(a_row(verdicts=[a_verdict(bad=20)]))
    svg = ET.fromstring(chart).find("svg")  # noqa: S314 - our own text
    assert svg is not None
    bars = [float(one.get("y", "0")) for one in svg.iter("rect") if one.get("class") == "beyond"]
    (limit,) = [float(one.get("y1", "0")) for one in svg.iter("line") if one.get("class") == "limit"]
    assert len(bars) == 10
    assert max(bars) < limit


def test_a_release_of_which_nothing_was_measured_has_no_chart() -> None:
    assert charts(a_row()) == []


def test_the_json_has_every_number_that_the_table_has() -> None:
    found = backtest_json(a_report(a_judged(a_row(), BAD)))
    policy = found["policy"]
    assert isinstance(policy, dict)
    assert policy["tables"][0]["counts"]["bad"] == {"let through": 0, "stopped": 1, "not moved": 0, "cannot tell": 0}
    assert policy["releases"][1]["policy"]["rule"] == "http-errors"
    assert policy["releases"][1]["really"]["undone_at"] == "2026-03-02T13:00:00Z"
    assert found["new_policy"] is None
