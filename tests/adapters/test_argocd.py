from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from bot.adapters import argocd
from bot.adapters.argocd import ArgoDeployments, ArgoServer
from bot.adapters.http import Endpoint, Limits
from bot.domain.argo import DEFAULT_SERVER, Application, Condition, NamedApplication, NoApplication, Operation
from bot.domain.model import Sha, Trouble
from bot.ports import Deployments, Permanent, Transient
from tests.adapters.scripted import Scripted, an_answer, serving

OLD, NEW = Sha("a" * 40), Sha("b" * 40)
OURS, OTHERS = "https://github.com/acme/deploy.git", "https://charts.example.com"
LIST = "/api/v1/applications"
FAST = Limits(deadline=timedelta(seconds=5), pause=timedelta(milliseconds=1))


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


@pytest.fixture
def deployments(server: Scripted) -> Iterator[ArgoDeployments]:
    endpoint = Endpoint(system="Argo CD", url=server.url, token=lambda: "t0ken-of-nobody")
    argocd = ArgoServer(endpoint, forge_host="github.com", limits=FAST)
    with ArgoDeployments({DEFAULT_SERVER: argocd}) as opened:
        yield opened


def an_item(name: str = "checkout", *, namespace: str = "argocd", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": {"repoURL": OURS, "path": "apps"}},
        "status": {
            "sync": {"status": "Synced", "revision": NEW},
            "health": {"status": "Healthy", "lastTransitionTime": "2026-03-01T12:00:00Z"},
            "reconciledAt": "2026-03-01T12:05:00Z",
            **status,
        },
    }


def a_list(*items: object) -> Response:
    return an_answer({"metadata": {"resourceVersion": "1"}, "items": list(items) or None})


def look(deployments: Deployments, name: str = "checkout") -> Application | NoApplication | Trouble:
    target = NamedApplication(name=name)
    (seen,) = deployments.find_applications([target], repository="acme/deploy", branch="main")[target]
    return seen


def look_at_application(deployments: Deployments, name: str = "checkout") -> Application:
    seen = look(deployments, name)
    assert isinstance(seen, Application)
    return seen


# --- what an entry says ----------------------------------------------------------------------------------------------


def test_an_application_is_read_whole(server: Scripted, deployments: ArgoDeployments) -> None:
    operation = {
        "phase": "Succeeded",
        "message": "successfully\nsynced",
        "startedAt": "2026-03-01T12:03:00Z",
        "finishedAt": "2026-03-01T14:04:00+02:00",
        "syncResult": {"revision": NEW, "source": {"repoURL": OURS}},
    }
    item = an_item(
        operationState=operation,
        conditions=[{"type": "SharedResourceWarning", "message": "shared"}],
        summary={"images": ["ghcr.io/acme/checkout:1.0.1"]},
        health={"status": "Degraded", "message": "crashing", "lastTransitionTime": "2026-03-01T12:00:00Z"},
        resources=[{"kind": "Deployment"}],
    )
    server.plan(LIST, a_list(item, an_item("cart")))
    assert look(deployments) == Application(
        name="checkout",
        sync="Synced",
        health="Degraded",
        revisions=(NEW,),
        operation=Operation(
            phase="Succeeded",
            revisions=(NEW,),
            started_at=datetime(2026, 3, 1, 12, 3, tzinfo=UTC),
            finished_at=datetime(2026, 3, 1, 12, 4, tzinfo=UTC),
            message="successfully synced",
        ),
        reconciled_at=datetime(2026, 3, 1, 12, 5, tzinfo=UTC),
        health_since=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        health_message="crashing",
        conditions=(Condition(type="SharedResourceWarning", message="shared"),),
        images=("ghcr.io/acme/checkout:1.0.1",),
        targets=("",),
        positions=(1,),
        automated=False,
    )


def test_an_application_that_was_never_compared_promises_nothing(
    server: Scripted, deployments: ArgoDeployments
) -> None:
    server.plan(LIST, a_list({"metadata": {"name": "checkout"}}))
    assert look(deployments) == Application(
        name="checkout", sync="Unknown", health="Unknown", revisions=(), automated=False
    )


def test_a_password_in_a_message_is_struck(server: Scripted, deployments: ArgoDeployments) -> None:
    said = "rpc error: fetch https://bot:hunter2@github.com/acme/deploy failed"
    server.plan(LIST, a_list(an_item(conditions=[{"type": "ComparisonError", "message": said}])))
    assert "hunter2" not in repr(look(deployments))


def two_sources(first: str, second: str) -> dict[str, Any]:
    return {"sources": [{"repoURL": url} | ({"chart": "x"} if url == OTHERS else {}) for url in (first, second)]}


@pytest.mark.parametrize(
    ("spec", "sync", "expected"),
    [
        ({"source": {"repoURL": OURS}}, {"revision": NEW}, (NEW,)),
        ({"source": {"repoURL": "git@github.com:Acme/Deploy"}}, {"revision": NEW.upper()}, (NEW,)),
        ({"source": {"repoURL": OURS}}, {"revision": ""}, ()),
        ({"source": {"repoURL": OURS}}, {"revision": "main"}, ()),
        ({"source": {"repoURL": OTHERS}}, {"revision": NEW}, ()),
        ({"source": {"repoURL": "https://evil.example/acme/deploy"}}, {"revision": NEW}, ()),
        (two_sources(OTHERS, OURS), {"revisions": ["1.2.3", NEW]}, (NEW,)),
        (two_sources(OURS, OURS), {"revisions": [OLD, NEW]}, (OLD, NEW)),
        (two_sources(OURS, OURS), {"revisions": [OLD, ""]}, ()),
        (two_sources(OTHERS, OURS), {"revisions": [NEW]}, ()),
        (two_sources(OTHERS, OURS), {"revision": NEW}, ()),
        (two_sources(OTHERS, OURS) | {"source": {"repoURL": OURS}}, {"revisions": ["1.2.3", NEW]}, (NEW,)),
        (
            two_sources(OTHERS, OURS),
            {"revisions": [NEW, "1.2.3"], "comparedTo": two_sources(OURS, OTHERS)},
            (NEW,),
        ),
        ({"source": {"repoURL": OURS}, "sourceHydrator": {"drySource": {"repoURL": OURS}}}, {"revision": NEW}, (NEW,)),
        ({"source": {"repoURL": OURS}, "sourceHydrator": {"drySource": {"repoURL": OTHERS}}}, {"revision": NEW}, ()),
    ],
    ids=[
        "single source",
        "another spelling",
        "not compared yet",
        "no commit name",
        "another repository",
        "same path on another host",
        "chart beside values",
        "two of ours",
        "one of two unknown",
        "fewer revisions than sources",
        "single revision for several sources",
        "sources override source",
        "sources changed since the comparison",
        "hydrated",
        "hydrated from another repository",
    ],
)
def test_revisions_are_those_of_the_stage_s_repository(
    server: Scripted,
    deployments: ArgoDeployments,
    spec: dict[str, Any],
    sync: dict[str, Any],
    expected: tuple[Sha, ...],
) -> None:
    item = an_item(sync={"status": "Synced", **sync}, operationState={"phase": "Succeeded", "syncResult": sync})
    if "comparedTo" in sync:
        item["status"]["operationState"]["syncResult"] = {"revisions": sync["revisions"], **sync["comparedTo"]}
    server.plan(LIST, a_list(item | {"spec": spec}))
    seen = look_at_application(deployments)
    assert seen.revisions == expected
    assert seen.operation is not None
    assert seen.operation.revisions == expected


@pytest.mark.parametrize(
    ("operation", "phase", "pending"),
    [
        (None, None, False),
        (None, "Succeeded", False),
        ({"sync": {}}, None, True),
        ({"sync": {}}, "Succeeded", True),
        ({"sync": {}}, "Running", False),
        ({}, "Failed", True),
    ],
)
def test_an_operation_is_pending_until_it_is_taken_up(
    server: Scripted, deployments: ArgoDeployments, operation: object, phase: str | None, pending: bool
) -> None:
    item = an_item(operationState={"phase": phase} if phase else None)
    server.plan(LIST, a_list(item | {"operation": operation}))
    assert look_at_application(deployments).operation_pending is pending


@pytest.mark.parametrize(
    "status",
    [
        {"sync": "Synced"},
        {"sync": {"status": 1}},
        {"health": []},
        {"conditions": ["x"]},
        {"conditions": {}},
        {"summary": {"images": [1]}},
        {"reconciledAt": "yesterday"},
        {"reconciledAt": "2026-03-01T12:05:00"},
        {"reconciledAt": "0001-01-01T00:00:00+14:00"},
        {"operationState": {"finishedAt": 5}},
    ],
    ids=str,
)
def test_a_malformed_entry_is_trouble_for_that_name_only(
    server: Scripted, deployments: ArgoDeployments, status: dict[str, Any]
) -> None:
    server.plan(LIST, a_list(an_item(**status), an_item("cart")))
    trouble = look(deployments)
    assert isinstance(trouble, Trouble)
    assert trouble.sentence.startswith("checkout: Argo CD's entry for it is malformed: ")
    assert isinstance(look(deployments, "cart"), Application)
    assert look(deployments, "absent") == NoApplication(name="absent")


# --- names -----------------------------------------------------------------------------------------------------------


def test_an_application_is_found_by_name_and_by_namespace_and_name(
    server: Scripted, deployments: ArgoDeployments
) -> None:
    server.plan(LIST, a_list(an_item(), an_item("cart", namespace="team")))
    assert look_at_application(deployments, "argocd/checkout").name == "argocd/checkout"
    assert look_at_application(deployments, "cart").name == "cart"
    assert look(deployments, "other/cart") == NoApplication(name="other/cart")


def test_a_name_in_two_namespaces_must_be_said_in_full(server: Scripted, deployments: ArgoDeployments) -> None:
    server.plan(LIST, a_list(an_item(), an_item(namespace="team")))
    seen = look(deployments)
    assert isinstance(seen, Trouble)
    assert "2 applications of this name; write namespace/name" in seen.sentence
    assert look_at_application(deployments, "team/checkout").name == "team/checkout"


def test_an_empty_list_has_no_application(server: Scripted, deployments: ArgoDeployments) -> None:
    server.plan(LIST, a_list())
    assert look(deployments) == NoApplication(name="checkout")


# --- one list call a sweep -------------------------------------------------------------------------------------------


def test_one_list_call_serves_a_sweep_of_many_threads(server: Scripted, deployments: ArgoDeployments) -> None:
    server.plan(LIST, a_list(an_item(reconciledAt="2026-03-01T12:05:00Z")), a_list(an_item(health=None)))
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: look(deployments), range(16)))
    assert len(set(seen)) == 1
    assert len(server.asked) == 1
    deployments.begin_sweep()
    assert look_at_application(deployments).health == "Unknown"
    assert len(server.asked) == 2


def test_a_list_that_was_under_way_when_a_sweep_began_is_not_that_sweep_s(
    server: Scripted, deployments: ArgoDeployments
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def wait(_: Request) -> Response:
        asked.set()
        return Waiting(go_on)

    server.plan(LIST, wait, a_list(an_item(health={"status": "Degraded"})))
    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(look, deployments)
        asked.wait(5)
        deployments.begin_sweep()
        go_on.set()
        early.result()
    assert look_at_application(deployments).health == "Degraded"


class Waiting(Response):
    """Answers an empty list once it may."""

    def __init__(self, go_on: threading.Event) -> None:
        super().__init__()
        self._go_on = go_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.to_thread(self._go_on.wait, 5)
        await a_list()(scope, receive, send)


def test_the_request_carries_the_token_and_asks_for_whole_applications(
    server: Scripted, deployments: ArgoDeployments
) -> None:
    server.plan(LIST, a_list())
    look(deployments)
    (asked,) = server.asked
    assert (asked.method, asked.query, asked.headers["authorization"]) == ("GET", "", "Bearer t0ken-of-nobody")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Response(status_code=401), "refused the token"),
        (Response(status_code=403), "does not allow the token to list its applications"),
        (Response(status_code=404), "check the address"),
        (Response(status_code=503), "failed (HTTP 503)"),
        (Response(status_code=429, headers={"retry-after": "60"}), "asks to slow down"),
        (PlainTextResponse('{"items": [{"metadata": {"na'), "something that is no application list"),
        (PlainTextResponse("<html>sign in</html>"), "something that is no application list"),
        (an_answer({"error": "x"}), "it has no items"),
        (an_answer({"items": {}}), "it has no items"),
        (an_answer({"items": [{}]}), "an entry that has no name"),
        (an_answer({"items": ["x"]}), "it has no items"),
    ],
    ids=["401", "403", "404", "503", "429", "truncated", "HTML", "no items", "items no list", "nameless", "no entry"],
)
def test_no_list_is_one_error_for_the_whole_sweep(
    server: Scripted,
    deployments: ArgoDeployments,
    answer: Response,
    sentence: str,
) -> None:
    server.plan(LIST, answer)
    first, second = look(deployments), look(deployments, "cart")
    assert isinstance(first, Trouble)
    assert first == second
    assert first.system == argocd.SYSTEM
    assert sentence in first.sentence
    times_asked = len(server.asked)
    server.plan(LIST, a_list(an_item()))
    assert look(deployments) == first
    assert len(server.asked) == times_asked
    deployments.begin_sweep()
    assert isinstance(look(deployments), Application)


# --- refresh ---------------------------------------------------------------------------------------------------------


def test_a_refresh_is_asked_for_by_name_and_namespace(server: Scripted, deployments: ArgoDeployments) -> None:
    server.plan(LIST + "/checkout", an_answer(an_item()))
    deployments.ask_refresh("checkout", hard=False)
    deployments.ask_refresh("team/checkout", hard=False)
    assert [(asked.method, asked.query) for asked in server.asked] == [
        ("GET", "refresh=normal"),
        ("GET", "refresh=normal&appNamespace=team"),
    ]


def test_a_refresh_that_takes_long_was_asked_for(server: Scripted) -> None:
    go_on = threading.Event()
    server.plan(LIST + "/checkout", Waiting(go_on))
    hasty = Limits(deadline=timedelta(milliseconds=100))
    argocd = ArgoServer(Endpoint(system="Argo CD", url=server.url), limits=hasty)
    with ArgoDeployments({DEFAULT_SERVER: argocd}) as deployments:
        deployments.ask_refresh("checkout", hard=False)
    assert len(server.asked) == 1
    go_on.set()


def test_a_refused_refresh_says_so(server: Scripted, deployments: ArgoDeployments) -> None:
    server.plan(LIST + "/checkout", Response(status_code=403))
    with pytest.raises(Permanent, match="does not allow the token to refresh the application checkout"):
        deployments.ask_refresh("checkout", hard=False)


@pytest.mark.parametrize("name", ["../settings", "a/b/c", "x?refresh=hard", "", "UPPER"])
def test_a_name_that_is_none_is_never_put_into_an_address(
    server: Scripted, deployments: ArgoDeployments, name: str
) -> None:
    with pytest.raises(Permanent, match="can have no application named"):
        deployments.ask_refresh(name, hard=False)
    assert server.asked == []


# --- the rest of an entry --------------------------------------------------------------------------------------------


def seen_of(server: Scripted, deployments: ArgoDeployments, item: dict[str, Any]) -> Application:
    server.plan(LIST, a_list(item))
    return look_at_application(deployments)


# Which sources count: those of the repository that follow the branch; where none does, all of the repository.
@pytest.mark.parametrize(
    ("targets", "positions"),
    [
        (["main"], (1,)),
        (["release"], (1,)),
        (["main", "release"], (1,)),
        (["v1", "HEAD"], (2,)),
        (["", "refs/heads/main"], (1, 2)),
        (["v1", "v2"], (1, 2)),
    ],
    ids=str,
)
def test_a_source_that_is_pinned_counts_only_where_none_follows_the_branch(
    server: Scripted, deployments: ArgoDeployments, targets: list[str], positions: tuple[int, ...]
) -> None:
    sources = [{"repoURL": OURS, "path": str(n), "targetRevision": target} for n, target in enumerate(targets)]
    item = an_item(sync={"status": "Synced", "revisions": [NEW] * len(targets)})
    seen = seen_of(server, deployments, item | {"spec": {"sources": sources}})
    assert seen.positions == positions
    assert seen.targets == tuple(targets[place - 1] for place in positions)
    assert seen.revisions == (NEW,) * len(positions)
    assert seen.several_sources


@pytest.mark.parametrize(
    ("policy", "automated"),
    [
        (None, False),
        ({}, False),
        ({"automated": None}, False),
        ({"automated": {}}, True),
        ({"automated": {"prune": True}}, True),
        ({"automated": {"enabled": True}}, True),
        ({"automated": {"enabled": None}}, True),
        ({"automated": {"enabled": False, "selfHeal": True}}, False),
    ],
    ids=repr,
)
def test_auto_sync_is_on_where_it_is_there_and_not_switched_off(
    server: Scripted, deployments: ArgoDeployments, policy: object, automated: bool
) -> None:
    spec = {"source": {"repoURL": OURS}, "syncPolicy": policy}
    assert seen_of(server, deployments, an_item() | {"spec": spec}).automated is automated


@pytest.mark.parametrize(
    ("operation", "partial"),
    [
        ({}, False),
        ({"sync": {"revision": NEW}}, False),
        ({"sync": {"dryRun": True}}, True),
        ({"sync": {"dryRun": False, "resources": []}}, False),
        ({"sync": {"resources": [{"kind": "ConfigMap", "name": "x"}]}}, True),
    ],
    ids=repr,
)
def test_a_dry_run_or_a_sync_of_some_resources_is_partial(
    server: Scripted, deployments: ArgoDeployments, operation: object, partial: bool
) -> None:
    seen = seen_of(server, deployments, an_item(operationState={"phase": "Succeeded", "operation": operation}))
    assert seen.operation is not None
    assert seen.operation.is_partial is partial


def test_what_is_left_over_is_counted_and_a_few_are_named(server: Scripted, deployments: ArgoDeployments) -> None:
    many = [{"kind": "ConfigMap", "name": f"c{n}", "status": "OutOfSync", "requiresPruning": True} for n in range(40)]
    ill = {"kind": "Deployment", "name": "web", "status": "Synced", "health": {"status": "Degraded", "message": "no"}}
    left = seen_of(server, deployments, an_item(resources=[*many, ill])).leftovers
    assert (left.out_of_sync_count, left.prunable_count) == (40, 40)
    assert left.out_of_sync == ("ConfigMap/c0", "ConfigMap/c1", "ConfigMap/c2")
    assert left.ill == ("Deployment/web: no",)


def test_a_past_sync_whose_revision_cannot_be_read_stays_in_its_place(
    server: Scripted, deployments: ArgoDeployments
) -> None:
    history = [
        {"revision": OLD, "deployedAt": "2026-03-01T11:00:00Z", "deployStartedAt": "2026-03-01T10:59:00Z", "id": 0},
        {"revision": NEW},
        {"revision": "1.2.3", "deployedAt": "2026-03-01T11:30:00Z"},
        {"deployedAt": "2026-03-01T11:40:00Z"},
    ]
    seen = seen_of(server, deployments, an_item(history=history)).history
    assert [(one.revisions, one.number) for one in seen] == [((OLD,), 0), ((), None), ((), None)]
    assert seen[0].started_at == datetime(2026, 3, 1, 10, 59, tzinfo=UTC)


def test_only_so_many_refreshes_are_asked_for_in_one_sweep(server: Scripted, deployments: ArgoDeployments) -> None:
    server.plan(LIST + "/checkout", an_answer(an_item()))
    for _ in range(50):
        deployments.ask_refresh("checkout", hard=False)
    with pytest.raises(Transient) as caught:
        deployments.ask_refresh("checkout", hard=True)
    assert caught.value.sentence == "checkout is refreshed in a later sweep: 50 were asked for in this one"
    assert len(server.asked) == 50
    deployments.begin_sweep()
    deployments.ask_refresh("checkout", hard=True)
    assert len(server.asked) == 51


@pytest.mark.parametrize(
    "metadata",
    [
        {"deletionTimestamp": "2026-03-01T12:00:00Z", "finalizers": ["x"]},
        {"deletionTimestamp": "2026-03-01T12:00:00Z"},
    ],
    ids=["with finalizers", "without"],
)
def test_an_application_that_is_being_deleted_is_known_as_such(
    server: Scripted, deployments: ArgoDeployments, metadata: dict[str, Any]
) -> None:
    item = an_item()
    item["metadata"] |= metadata
    assert seen_of(server, deployments, item).is_being_deleted


HOSTILE = "\x1b[31mred\u202e\r\n" + "x" * 100_000


@pytest.mark.parametrize(
    "status",
    [
        {"sync": {"status": HOSTILE, "revision": NEW}},
        {"health": {"status": HOSTILE}},
        {"health": {"status": "Degraded", "message": HOSTILE}},
        {"conditions": [{"type": HOSTILE, "message": HOSTILE}]},
        {"operationState": {"phase": HOSTILE, "message": HOSTILE}},
        {"resources": [{"kind": HOSTILE, "name": HOSTILE, "status": "OutOfSync", "health": {"status": "Degraded"}}]},
    ],
    ids=["sync", "health", "health message", "condition", "operation", "resource"],
)
def test_words_of_argo_cd_that_people_are_shown_are_short_and_printable(
    server: Scripted, deployments: ArgoDeployments, status: dict[str, Any]
) -> None:
    seen = seen_of(server, deployments, an_item(**status))
    operation = seen.operation
    words = [seen.sync, seen.health, seen.health_message, *seen.leftovers.out_of_sync, *seen.leftovers.ill]
    words += [word for one in seen.conditions for word in (one.type, one.message)]
    words += [operation.phase, operation.message] if operation is not None else []
    assert [word[:40] for word in words if not word.isprintable() or len(word) > 1000] == []


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("metadata", {"name": "checkout", "annotations": []}),
        ("spec", []),
        ("spec", {"source": [], "sources": None}),
        ("spec", {"sources": [None]}),
        ("spec", {"syncPolicy": {"automated": True}}),
        ("spec", {"sourceHydrator": "yes"}),
        ("operation", "sync"),
        ("status", {"history": [{"revision": 5, "deployedAt": "2026-03-01T12:00:00Z"}]}),
        ("status", {"resources": {"a": 1}}),
        ("status", {"summary": {"images": "x"}}),
        ("status", {"operationState": {"retryCount": "-1", "phase": "x"}}),
        ("status", {"operationState": {"syncResult": {"revisions": [5]}, "phase": "x"}}),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_part_of_a_wrong_type_is_malformed_and_never_a_crash(
    server: Scripted, deployments: ArgoDeployments, part: str, value: object
) -> None:
    server.plan(LIST, a_list(an_item() | {part: value}, an_item("cart")))
    trouble = look(deployments)
    assert isinstance(trouble, Trouble), trouble
    assert "Argo CD's entry for it is malformed: " in trouble.sentence
    assert isinstance(look(deployments, "cart"), Application)


@pytest.mark.parametrize("name", ["", None, 5, ["checkout"], {}], ids=repr)
def test_an_entry_whose_name_is_none_spoils_the_list_and_hides_no_application(
    server: Scripted, deployments: ArgoDeployments, name: object
) -> None:
    nameless = an_item()
    nameless["metadata"]["name"] = name
    server.plan(LIST, a_list(an_item("cart"), nameless))
    trouble = look(deployments)
    assert isinstance(trouble, Trouble)
    assert "an entry that has no name" in trouble.sentence


def test_deep_nesting_and_half_a_character_in_a_list_are_no_crash(
    server: Scripted, deployments: ArgoDeployments
) -> None:
    server.plan(LIST, PlainTextResponse('{"items": ' + "[" * 200_000))
    assert isinstance(look(deployments), Trouble)
    deployments.begin_sweep()
    text = '{"items": [{"metadata": {"name": "checkout", "labels": {"a": "\\ud800"}}, "spec": {}, "status": {}}]}'
    server.plan(LIST, PlainTextResponse(text))
    assert look_at_application(deployments).name == "checkout"


def test_a_sweep_begins_at_once_although_a_server_is_slow_with_its_list(
    server: Scripted, deployments: ArgoDeployments
) -> None:
    """One slow server of several must not hold up the sweep's beginning for all of them."""
    asked, go_on, begun = threading.Event(), threading.Event(), threading.Event()

    def wait(_: Request) -> Response:
        asked.set()
        return Waiting(go_on)

    def begin() -> None:
        deployments.begin_sweep()
        begun.set()

    server.plan(LIST, wait)
    with ThreadPoolExecutor(2) as pool:
        pool.submit(look, deployments)
        asked.wait(5)
        pool.submit(begin)
        begins_at_once = begun.wait(2)
        go_on.set()
    assert begins_at_once
