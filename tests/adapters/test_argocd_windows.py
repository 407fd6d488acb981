"""Sync windows: whether one is in the way, which one, and what a malformed answer is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, Response

from bot.adapters.argocd import ArgoDeployments
from bot.adapters.argocd_json import MalformedItem
from bot.adapters.argocd_windows import why_blocked
from bot.ports import OutsideError, Permanent, Transient
from tests.adapters.scripted import Scripted, an_answer, serving
from tests.adapters.test_argocd import LIST
from tests.adapters.test_argocd_sync import opened
from tests.domain.argo_cases import SYNC_WINDOWS, item_of

WINDOWS = f"{LIST}/checkout/syncwindows"
DENIED = "a sync window of its project denies syncs now (0 11 * * 1-5 for 3h)"
CLOSED = "its project allows syncs only in a window that is not open now (0 6 * * * for 12h)"
DENY = {"kind": "deny", "schedule": "0 11 * * 1-5", "duration": "3h", "manualSync": True}
ALLOW = {"kind": "allow", "schedule": "0 6 * * *", "duration": "12h"}


def windows(*active: object, assigned: tuple[object, ...] = (), **more: object) -> dict[str, Any]:
    return {"activeWindows": list(active), "assignedWindows": [*active, *assigned], **more}


# Automated: an active deny blocks, and so does an allow of which none is open. By hand, Argo CD itself says (canSync).
@pytest.mark.parametrize(
    ("answer", "automated", "by_hand"),
    [
        ({}, "", ""),
        ({"canSync": True}, "", ""),
        ({"canSync": False}, "", ""),
        ({"activeWindows": None, "assignedWindows": None, "canSync": False}, "", ""),
        (windows(DENY, canSync=True), DENIED, ""),
        (windows(DENY, canSync=False), DENIED, DENIED),
        (windows(DENY), DENIED, DENIED),
        (windows(assigned=(DENY,), canSync=True), "", ""),
        (windows(ALLOW, canSync=True), "", ""),
        (windows(assigned=(ALLOW,), canSync=False), CLOSED, CLOSED),
        (windows(assigned=(ALLOW,), canSync=True), CLOSED, ""),
        (windows(ALLOW, assigned=(ALLOW,), canSync=True), "", ""),
        (windows(DENY, ALLOW, canSync=False), DENIED, DENIED),
        (windows(ALLOW, DENY, canSync=False), DENIED, DENIED),
        (windows(assigned=(DENY, ALLOW), canSync=False), CLOSED, CLOSED),
        (windows(assigned=(ALLOW, DENY), canSync=False), CLOSED, CLOSED),
        (windows(DENY, assigned=(ALLOW,), canSync=False), DENIED, DENIED),
        (item_of(SYNC_WINDOWS), DENIED, DENIED),
    ],
    ids=[
        "nothing",
        "no window",
        "no window, and no word",
        "null",
        "deny that excepts by hand",
        "deny",
        "deny, false left out",
        "deny later",
        "allow open",
        "allow closed",
        "allow closed that excepts by hand",
        "one of two allows open",
        "deny before an open allow",
        "deny after an open allow",
        "allow closed after an idle deny",
        "allow closed before an idle deny",
        "deny beside a closed allow",
        "the fixture",
    ],
)
def test_the_window_in_the_way_is_named(answer: dict[str, Any], automated: str, by_hand: str) -> None:
    assert why_blocked(answer, automated=True) == automated
    assert why_blocked(answer, automated=False) == by_hand


def test_a_window_without_a_duration_is_named_by_its_schedule() -> None:
    answer = windows({"kind": "deny", "schedule": "* * * * *"})
    assert why_blocked(answer, automated=True) == "a sync window of its project denies syncs now (* * * * *)"


def test_what_a_window_says_of_itself_is_cut_and_made_one_line() -> None:
    answer = windows({"kind": "deny", "schedule": "\x1b[31m0\n0 *" + "x" * 1_000_000, "duration": "\u202e3h"})
    said = why_blocked(answer, automated=True)
    assert said.isprintable()
    assert len(said) < 250


@pytest.mark.parametrize(
    "answer",
    [
        {"activeWindows": {}},
        {"activeWindows": "none"},
        {"activeWindows": [1]},
        {"assignedWindows": True},
        windows({"kind": 5}),
        windows({"kind": "deny", "schedule": ["*"]}),
        windows({"kind": "deny", "duration": 3}),
    ],
    ids=repr,
)
def test_a_field_of_a_wrong_type_is_malformed(answer: dict[str, Any]) -> None:
    with pytest.raises(MalformedItem):
        why_blocked(answer, automated=True)


# --- asked of a server -----------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


@pytest.fixture
def deployments(server: Scripted) -> Iterator[ArgoDeployments]:
    with opened(server) as made:
        yield made


def test_windows_are_asked_for_by_name_and_namespace(server: Scripted, deployments: ArgoDeployments) -> None:
    server.plan(WINDOWS, an_answer(windows(DENY)))
    assert deployments.why_blocked("team/checkout", automated=True) == DENIED
    assert [(asked.method, asked.query) for asked in server.asked] == [("GET", "appNamespace=team")]


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        (Response(status_code=403), Permanent, "does not allow the token to tell the sync windows of checkout (403)"),
        (Response(status_code=404), Permanent, "knows nothing of that when asked to tell the sync windows"),
        (Response(status_code=500), Transient, "failed (HTTP 500)"),
        (PlainTextResponse("<html>"), Transient, "something that is no sync windows"),
        (an_answer([]), Transient, "something that is no sync windows (JSON, but no object)"),
        (an_answer({"activeWindows": 1}), Transient, "answered malformed sync windows for checkout: activeWindows is"),
    ],
    ids=["403", "404", "500", "HTML", "a list", "malformed"],
)
def test_an_answer_that_tells_no_windows_is_one_sentence(
    server: Scripted, deployments: ArgoDeployments, answer: Response, error: type[OutsideError], sentence: str
) -> None:
    server.plan(WINDOWS, answer)
    with pytest.raises(error) as caught:
        deployments.why_blocked("checkout", automated=True)
    assert sentence in caught.value.sentence


def ask(deployments: ArgoDeployments, *names: str, automated: bool = True) -> set[str]:
    return {deployments.why_blocked(name, automated=automated) for name in names}


def test_an_answer_is_kept_for_ten_sweeps(server: Scripted, deployments: ArgoDeployments) -> None:
    server.plan(WINDOWS, an_answer(windows(DENY)), an_answer({"canSync": True}))
    said = []
    for _ in range(11):
        deployments.begin_sweep()
        said.append(deployments.why_blocked("checkout", automated=True))
    assert said == [DENIED] * 10 + [""]
    assert len(server.asked) == 2


def test_an_answer_for_a_sync_by_hand_is_no_answer_for_an_automated_one(
    server: Scripted, deployments: ArgoDeployments
) -> None:
    server.plan(WINDOWS, an_answer(windows(DENY, canSync=True)))
    assert deployments.why_blocked("checkout", automated=False) == ""
    assert deployments.why_blocked("checkout", automated=True) == DENIED


def test_a_failed_question_is_not_kept(server: Scripted, deployments: ArgoDeployments) -> None:
    server.plan(WINDOWS, Response(status_code=403), an_answer(windows(DENY)))
    with pytest.raises(Permanent):
        deployments.why_blocked("checkout", automated=True)
    assert deployments.why_blocked("checkout", automated=True) == DENIED


def test_only_a_few_are_asked_about_in_one_sweep_and_the_others_in_the_next(
    server: Scripted, deployments: ArgoDeployments
) -> None:
    names = [f"a{number}" for number in range(30)]
    for name in names:
        server.plan(f"{LIST}/{name}/syncwindows", an_answer(windows(DENY)))
    first = [deployments.why_blocked(name, automated=True) for name in names]
    assert (first, len(server.asked)) == ([DENIED] * 20 + [""] * 10, 20)
    deployments.begin_sweep()
    assert ask(deployments, *names) == {DENIED}
    assert len(server.asked) == 30
