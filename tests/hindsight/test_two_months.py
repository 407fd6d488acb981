"""`liftlock policy backtest` on a real Git and a real Prometheus with two months of history and forty releases."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.text import parse_instant
from tests.adapters.backends import needs_prometheus
from tests.adapters.scripted import an_answer, serving
from tests.hindsight.between import Between, before
from tests.hindsight.desk import TEN_DAYS, WHOLE, Desk, Past, a_desk, rows, tables, the_past
from tests.hindsight.past import (
    BEGINNING,
    POLICY,
    SPECIAL,
)

pytestmark = [pytest.mark.prometheus, needs_prometheus, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", name="past")
def fixture_past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    with the_past(tmp_path_factory.mktemp("git"), tmp_path_factory.mktemp("prometheus")) as past:
        yield past


@pytest.fixture(name="desk")
def fixture_desk(tmp_path: Path, past: Past) -> Desk:
    return a_desk(tmp_path, past)


# --- the confusion table ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="report")
def fixture_report(tmp_path_factory: pytest.TempPathFactory, past: Past) -> Any:
    desk = a_desk(tmp_path_factory.mktemp("desk"), past)
    page = desk.folder / "page.html"
    report = desk.report(*WHOLE, "--policy", str(desk.folder / "new.yaml"), "--html", str(page))
    return {**report, "page": page.read_text(encoding="utf-8")}


def test_forty_releases_of_known_fate_come_to_exactly_this_table(report: Any) -> None:
    assert tables(report["policy"]) == {
        "releases": {
            "good": {"let through": 26, "stopped": 2, "not moved": 2},
            "bad": {"let through": 3, "stopped": 5, "not moved": 2},
        },
        "staging → production": {
            "good": {"promoted": 27, "stopped": 1, "held": 1, "replaced first": 1},
            "bad": {"promoted": 5, "stopped": 3, "held": 2},
        },
        "watch in production": {
            "good": {"kept": 29, "rolled back": 1},
            "bad": {"kept": 4, "rolled back": 3},
        },
    }
    assert report["policy"]["false_alarms"] == ["1.11.0", "1.20.0"]
    assert report["policy"]["misses"] == ["1.18.0", "1.21.0", "1.30.0"]


def test_each_release_was_what_the_history_made_of_it(report: Any) -> None:
    found = {row["release"]: row["really"]["was"] for row in report["policy"]["releases"] if row["question"] == "move"}
    assert len(found) == 40
    bad = {f"1.{number}.0" for number, past in SPECIAL.items() if past.is_bad}
    assert {tag for tag, was in found.items() if was == "bad"} == bad
    assert set(found.values()) == {"good", "bad"}


@pytest.mark.parametrize(
    ("tag", "end", "reason", "really"),
    [
        (
            "1.3.0",
            "stopped",
            "http-errors: 30 of 300 bad (10 %), limit 2 %: more than chance explains",
            "taken out of staging by Olga Ops after 50m, back to 1.2.0",
        ),
        (
            "1.6.0",
            "stopped",
            "http-latency: 120 of 300 bad (40 %), limit 10 %: more than chance explains",
            "taken out of staging by Olga Ops after 55m, back to 1.5.0",
        ),
        (
            "1.24.0",
            "held",
            "no verdict 2h after it was live: http-errors: 0.1 of 57 bad: too little traffic to prove a limit this low",
            "taken out of production by Olga Ops after 5h, back to 1.23.0",
        ),
        (
            "1.27.0",
            "held",
            "no verdict 2h after it was live: http-errors: no measurement at all in 23 looks; the query gave no series",
            "taken out of staging by Olga Ops after 3h, back to 1.26.0",
        ),
        (
            "1.33.0",
            "replaced first",
            (
                "it was replaced at 2026-02-15 02:27:13 UTC, before the policy had decided: "
                "http-errors: 0.6 of 600 bad so far; window ends 02:45:00 UTC"
            ),
            "stood in production for 1d 2h 15m",
        ),
        ("1.1.0", "promoted", "staging: both gates are healthy", "stood in production for 1d 10h"),
    ],
)
def test_a_release_that_wants_to_move_on_is_judged_with_its_reason(
    report: Any, tag: str, end: str, reason: str, really: str
) -> None:
    row = rows(report["policy"], "staging → production")[tag]
    assert (row["policy"]["end"], row["policy"]["reason"], row["really"]["sentence"]) == (end, reason, really)


def test_a_failure_that_begins_after_an_hour_is_rolled_back_in_the_watch_and_one_after_it_is_missed(
    report: Any,
) -> None:
    watched = rows(report["policy"], "watch in production")
    late = watched["1.15.0"]
    assert (late["policy"]["end"], late["policy"]["rule"]) == ("rolled back", "http-errors")
    live, at = (parse_instant(text) for text in (late["live_at"], late["policy"]["at"]))
    assert isinstance(live, datetime)
    assert isinstance(at, datetime)
    assert timedelta(hours=1) < at - live < timedelta(hours=2)
    missed = watched["1.18.0"]
    assert missed["policy"]["reason"] == "no trigger fired until 04:54:12 UTC, when its watch ended"
    hotfix = watched["1.21.0"]["really"]["sentence"]
    assert hotfix == "replaced in production by 1.22.0 after 4h: a hotfix"


def test_what_is_gained_is_the_time_between_the_policy_and_people(report: Any) -> None:
    """People moved releases on 45 minutes after the commit; the policy is done 36 minutes after they were live."""
    assert report["policy"]["median_gain_seconds"] == 418
    row = rows(report["policy"], "watch in production")["1.12.0"]
    at, undone = (parse_instant(text) for text in (row["policy"]["at"], row["really"]["undone_at"]))
    assert isinstance(undone, datetime)
    assert isinstance(at, datetime)
    assert row["gained_seconds"] == (undone - at).total_seconds() > 3600


def test_the_new_policy_differs_in_exactly_these_releases(report: Any) -> None:
    found = [(one["release"], one["policy"], one["new_policy"]) for one in report["differences"]]
    assert found == [
        ("1.24.0", "held", "promoted"),
        ("1.29.0", "held", "promoted"),
        ("1.21.0", "kept", "rolled back"),
        ("1.22.0", "kept", "rolled back"),
    ]
    assert report["new_policy"]["misses"] == ["1.18.0", "1.24.0", "1.30.0"]


def test_what_was_assumed_and_what_was_not_looked_at_is_said(report: Any) -> None:
    assert report["policy"]["not_backtested"] == ["production: reviews and checks are taken to be there at once"]
    said = report["policy"]["not_known"]
    assert said[0].startswith("staging: Argo CD at http://127.0.0.1:9 could not be reached")
    assert said[-1] == (
        "Argo CD's history does not tell 77 times when a release was live in a stage: taken to be 2m after the commit"
    )
    assert {row["live_from"] for row in report["policy"]["releases"]} == {"assumed"}


def test_the_page_has_an_article_and_charts_for_each_release_and_needs_nothing_else(report: Any) -> None:
    page = report["page"]
    assert page.count("<article>") == 2 * 77
    assert page.count("<svg ") > page.count("<article>")
    assert "<script" not in page
    assert "src=" not in page
    assert "href=" not in page
    assert "url(" not in page
    assert "1.30.0" in page
    assert "a hotfix" in page


# --- what history does not reach -------------------------------------------------------------------------------------


def test_releases_from_before_the_first_sample_are_cannot_tell_and_never_good_or_bad(desk: Desk) -> None:
    since, until = BEGINNING - timedelta(days=10), BEGINNING + timedelta(days=3)
    report = desk.report("--since", since.isoformat(), "--until", until.isoformat())
    found = rows(report["policy"], "staging → production")
    assert {tag: row["policy"]["end"] for tag, row in found.items()} == {
        "0.9.1": "cannot tell",
        "0.9.2": "cannot tell",
        "1.1.0": "promoted",
        "1.2.0": "promoted",
    }
    assert found["0.9.1"]["policy"]["reason"] == (
        "its tiles begin at 2025-12-27 00:10:00 UTC, and the first sample of Prometheus is from 2026-01-02 00:15:00 UTC"
    )
    watched = rows(report["policy"], "watch in production")
    assert [watched[tag]["policy"]["end"] for tag in ("0.9.1", "0.9.2", "1.1.0")] == ["cannot tell"] * 2 + ["kept"]
    assert (
        "Prometheus has no samples from when 2 releases came, so nobody can tell what the policy would have done"
        in report["policy"]["not_known"]
    )


def test_without_a_known_instant_at_which_it_was_live_nobody_can_tell(desk: Desk) -> None:
    report = desk.report(*TEN_DAYS, "--deploy-delay", "unknown")
    assert {row["policy"]["end"] for row in report["policy"]["releases"]} == {"cannot tell"}
    row = rows(report["policy"], "staging → production")["1.1.0"]
    assert row["policy"]["reason"] == "it is not known since when it was live in staging"
    assert row["really"]["was"] == "good"


def test_a_range_without_releases_says_so_by_its_exit_code(desk: Desk) -> None:
    result = desk.run("--since", "1h", "--until", (BEGINNING + timedelta(days=1)).isoformat())
    assert result.exit_code == 3
    assert result.stdout.startswith("checkout: 0 releases from 2026-01-01 23:00 to 2026-01-02 00:00 UTC")


# --- when it was live ------------------------------------------------------------------------------------------------

SYNCED_AFTER = timedelta(minutes=9)


def an_entry(name: str, repository: str, synced: Mapping[str, datetime]) -> dict[str, object]:
    """An application whose history has these commits."""
    history = [
        {"id": number, "revision": revision, "deployedAt": at.isoformat(), "source": {"repoURL": repository}}
        for number, (revision, at) in enumerate(synced.items())
    ]
    return {
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {"source": {"repoURL": repository, "targetRevision": "main", "path": "."}},
        "status": {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}, "history": history},
    }


def test_argo_cds_history_says_since_when_a_release_was_live_as_far_as_it_reaches(tmp_path: Path, past: Past) -> None:
    """It has two syncs while 1.2.0 stood in staging, the second of a later commit that still carries it."""
    commits = past.commits
    came = past.history.came["1.2.0"]
    synced = {commits["staging: 1.2.0"]: came + SYNCED_AFTER, commits["production: 1.2.0"]: came + 5 * SYNCED_AFTER}
    deploy = f"{past.git}/acme/deploy.git"
    entries = [an_entry("checkout-staging", deploy, synced), an_entry("checkout-production", deploy, {})]
    with serving() as server:
        server.plan("/api/v1/applications", an_answer({"metadata": {"resourceVersion": "1"}, "items": entries}))
        desk = a_desk(tmp_path, past, argocd=server.url)
        report = desk.report("--since", "3d", "--until", (BEGINNING + timedelta(days=4)).isoformat())
    found = rows(report["policy"], "staging → production")
    assert found["1.2.0"]["live_from"] == "Argo CD"
    assert parse_instant(found["1.2.0"]["live_at"]) == came + SYNCED_AFTER
    assert found["1.1.0"]["live_from"] == "assumed"
    watched = rows(report["policy"], "watch in production")
    assert {row["live_from"] for row in watched.values()} == {"assumed"}
    assert report["policy"]["not_known"] == [
        (
            "Argo CD's history does not tell four times when a release was live in a stage: "
            "taken to be 2m after the commit"
        )
    ]


# --- interrupted -----------------------------------------------------------------------------------------------------


@pytest.fixture(name="between")
def fixture_between(past: Past) -> Iterator[Between]:
    with before(past.prometheus) as between:
        yield between


def test_a_prometheus_that_goes_down_ends_the_run_and_nothing_is_asked_twice(
    tmp_path: Path, past: Past, between: Between
) -> None:
    desk = a_desk(tmp_path, past, prometheus=between.url)
    between.allowed = 15
    failed = desk.run(*TEN_DAYS)
    assert failed.exit_code == 2
    assert len(desk.journals) == 1
    kept = f"what was read is kept in {desk.journals[0]}; the same command goes on from there"
    assert kept in failed.stderr
    assert "Prometheus at http://127.0.0.1" in failed.stderr
    assert failed.stdout == ""
    between.allowed = None
    done = desk.run(*TEN_DAYS)
    assert done.exit_code == 0, done.output
    assert "going on with the backtest up to 2026-01-11 00:00:00 UTC" in done.stderr
    assert len(between.queries) == len(set(between.queries))
    assert desk.journals == []
    between.queries.clear()
    assert desk.run(*TEN_DAYS).stdout == done.stdout
    assert len(between.queries) < 40


def test_ctrl_c_leaves_a_file_that_the_same_command_goes_on_from(tmp_path: Path, past: Past, between: Between) -> None:
    desk = a_desk(tmp_path, past, prometheus=between.url)
    command = [sys.executable, "-m", "bot", *desk.arguments(*TEN_DAYS, "--pause", "300ms")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while len(between.queries) < 4 and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert f"liftlock: interrupted; what was read is kept in {desk.journals[0]}" in said
    assert "Traceback" not in said
    read = len(between.queries)
    assert 4 <= read < 30
    assert desk.run(*TEN_DAYS).exit_code == 0
    # The query that was under way when it was interrupted may be asked again.
    assert len(between.queries) - len(set(between.queries)) <= 1


def test_a_file_of_another_backtest_is_refused_and_left_as_it_is(desk: Desk) -> None:
    kept = desk.folder / "kept.jsonl"
    first = ("--since", "3d", "--until", (BEGINNING + timedelta(days=4)).isoformat(), "--resume", str(kept))
    assert desk.run(*first).exit_code == 0
    body = kept.read_bytes()
    other_range = desk.run("--since", "2d", *first[2:])
    assert (other_range.exit_code, other_range.stdout) == (2, "")
    assert f"{kept} is of another backtest: --since is not the same" in other_range.stderr
    (desk.folder / "policies" / "checkout.yaml").write_text(POLICY.replace("limit: 2%", "limit: 1%"))
    other_policy = desk.run(*first)
    assert (other_policy.exit_code, other_policy.stdout) == (2, "")
    assert f"{kept} is of another backtest: the policy is not the same" in other_policy.stderr
    assert kept.read_bytes() == body


def test_a_file_that_is_kept_answers_the_whole_backtest_again(tmp_path: Path, past: Past, between: Between) -> None:
    desk, kept = a_desk(tmp_path, past, prometheus=between.url), str(tmp_path / "kept.jsonl")
    first = desk.run(*TEN_DAYS, "--resume", kept)
    between.queries.clear()
    between.allowed = 0
    assert desk.run(*TEN_DAYS, "--resume", kept).stdout == first.stdout
    assert between.lost == 0


def test_a_bar_is_shown_on_a_terminal_and_nothing_anywhere_else(desk: Desk) -> None:
    since = ("--since", "3d", "--until", (BEGINNING + timedelta(days=4)).isoformat())
    assert desk.run(*since).stderr == ""
    main, side = pty.openpty()
    try:
        command = [sys.executable, "-m", "bot", *desk.arguments(*since)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=side, check=True, timeout=120)
        shown = os.read(main, 100_000).decode()
    finally:
        os.close(main)
        os.close(side)
    assert "backtesting checkout" in shown
    assert b"backtesting" not in done.stdout
