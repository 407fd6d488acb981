"""Several Argo CD servers, selectors, projects, root paths, certificates and tokens: what is asked where."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.adapters.argocd import ArgoDeployments, ArgoServer, WatchSettings
from bot.adapters.argocd_index import Index, full_name
from bot.adapters.http import Endpoint
from bot.domain.argo import (
    DEFAULT_SERVER,
    Application,
    NamedApplication,
    NoApplication,
    Requirement,
    SelectedApplications,
    Target,
)
from bot.domain.model import Trouble
from bot.lab.argo.specification import ArgoOptions
from bot.lab.exchanges import ExchangeRecorder
from bot.lab.serving import Served
from bot.ports import Permanent, SyncOrder
from bot.settings import read_secret_file
from tests.adapters.scripted import Scripted, an_answer, serving
from tests.adapters.test_argocd import FAST, LIST, NEW, a_list, an_item
from tests.adapters.tls import serving_tls
from tests.lab.argo_world import APP, ArgoWorld

TOKEN = "t0ken-of-nobody"
Found = tuple[Application | NoApplication | Trouble, ...]


@pytest.fixture
def home() -> Iterator[Scripted]:
    """The server that a policy means when it names none."""
    with serving() as scripted:
        yield scripted


@pytest.fixture
def europe() -> Iterator[Scripted]:
    with serving() as scripted:
        yield scripted


def a_server(scripted: Scripted, name: str = DEFAULT_SERVER, **more: Any) -> ArgoServer:
    endpoint = Endpoint(system="Argo CD", url=scripted.url, token=lambda: TOKEN)
    return ArgoServer(endpoint, name=name, forge_host="github.com", limits=FAST, **more)


@pytest.fixture
def fleet(home: Scripted, europe: Scripted) -> Iterator[ArgoDeployments]:
    with ArgoDeployments({DEFAULT_SERVER: a_server(home), "eu": a_server(europe, "eu")}) as opened:
        yield opened


def find(deployments: ArgoDeployments, target: Target) -> Found:
    return deployments.find_applications([target], repository="acme/deploy", branch="main")[target]


def names(found: Found) -> list[str]:
    return [item.name for item in found if not isinstance(item, Trouble)]


def only(found: Found) -> Application:
    (seen,) = found
    assert isinstance(seen, Application)
    return seen


def labelled(name: str = "checkout", labels: object = None, *, namespace: str = "argocd", **status: Any) -> Any:
    item = an_item(name, namespace=namespace, **status)
    item["metadata"]["labels"] = {"app": "checkout"} if labels is None else labels
    return item


def selecting(*requirements: Requirement, server: str = DEFAULT_SERVER, namespace: str = "") -> SelectedApplications:
    chosen = requirements or (Requirement(label="app", values=("checkout",)),)
    return SelectedApplications(selector=chosen, server=server, namespace=namespace)


def members(items: list[Any], target: SelectedApplications) -> list[str]:
    return [full_name(item) for item in Index(items).selected(target)]


AT_HOME, IN_EUROPE = NamedApplication(name="checkout"), NamedApplication(name="checkout", server="eu")


# --- several servers -------------------------------------------------------------------------------------------------


def test_an_application_of_one_name_on_two_servers_is_two_applications(
    home: Scripted, europe: Scripted, fleet: ArgoDeployments
) -> None:
    home.plan(LIST, a_list(an_item()))
    europe.plan(LIST, a_list(an_item(health={"status": "Degraded"})))
    found = fleet.find_applications([AT_HOME, IN_EUROPE], repository="acme/deploy", branch="main")
    assert [(only(one).name, only(one).health) for one in found.values()] == [
        ("checkout", "Healthy"),
        ("eu:checkout", "Degraded"),
    ]


def test_a_server_that_fails_is_the_trouble_of_its_own_applications_only(
    home: Scripted, europe: Scripted, fleet: ArgoDeployments
) -> None:
    home.plan(LIST, a_list(an_item()))
    europe.plan(LIST, Response(status_code=401))
    assert only(find(fleet, AT_HOME)).name == "checkout"
    (trouble,) = find(fleet, IN_EUROPE)
    assert isinstance(trouble, Trouble)
    assert trouble.sentence == (
        f"Argo CD at {europe.url} refused the token when asked to list its applications (401): give it a valid one"
    )
    assert find(fleet, selecting(server="eu")) == (trouble,)


def test_a_server_that_is_not_in_the_settings_is_named_beside_those_that_are(fleet: ArgoDeployments) -> None:
    target = NamedApplication(name="team/checkout", server="us")
    said = "us:team/checkout: the settings name no Argo CD server 'us'; they name: argocd, eu"
    assert find(fleet, target) == (Trouble(system="Argo CD", sentence=said),)
    for ask in (
        lambda: fleet.ask_refresh("us:team/checkout", hard=False),
        lambda: fleet.why_blocked("us:team/checkout", automated=True),
    ):
        with pytest.raises(Permanent) as caught:
            ask()
        assert caught.value.sentence == said


def test_each_server_is_asked_once_a_sweep_and_only_if_a_target_is_there(
    home: Scripted, europe: Scripted, fleet: ArgoDeployments
) -> None:
    europe.plan(LIST, a_list(labelled(), labelled("cart")))
    targets: list[Target] = [IN_EUROPE, NamedApplication(name="cart", server="eu"), selecting(server="eu")]
    fleet.find_applications(targets, repository="acme/deploy", branch="main")
    find(fleet, IN_EUROPE)
    assert (len(home.asked), len(europe.asked)) == (0, 1)
    fleet.begin_sweep()
    find(fleet, IN_EUROPE)
    assert len(europe.asked) == 2


@pytest.mark.parametrize(("hard", "query"), [(False, "refresh=normal"), (True, "refresh=hard")], ids=["normal", "hard"])
def test_a_refresh_goes_to_the_server_and_the_namespace_of_the_name(
    home: Scripted, europe: Scripted, fleet: ArgoDeployments, hard: bool, query: str
) -> None:
    for server in (home, europe):
        server.plan(f"{LIST}/checkout", an_answer(an_item()))
    fleet.ask_refresh("eu:team/checkout", hard=hard)
    assert home.asked == []
    assert [(asked.method, asked.query) for asked in europe.asked] == [("GET", f"{query}&appNamespace=team")]
    fleet.ask_refresh("checkout", hard=hard)
    assert [(asked.method, asked.query) for asked in home.asked] == [("GET", query)]


@pytest.mark.parametrize(
    "name",
    ["eu:a:checkout", "eu:/checkout", "eu:", "eu:checkout/", "eu:team/checkout/x", "eu:check out", "eu:чек", "eu:%2e"],
)
def test_a_name_that_no_application_has_is_asked_of_no_server(
    home: Scripted, europe: Scripted, fleet: ArgoDeployments, name: str
) -> None:
    with pytest.raises(Permanent):
        fleet.ask_refresh(name, hard=False)
    assert (home.asked, europe.asked) == ([], [])


def test_a_plain_name_in_another_namespace_is_refreshed_there(home: Scripted, fleet: ArgoDeployments) -> None:
    """Argo CD looks for a name without `appNamespace` in its own namespace only, and answers 403 or 404."""
    home.plan(LIST, a_list(an_item(namespace="team")))
    home.plan(f"{LIST}/checkout", an_answer(an_item(namespace="team")))
    fleet.ask_refresh(only(find(fleet, AT_HOME)).name, hard=False)
    assert home.asked[-1].query == "refresh=normal&appNamespace=team"


# --- selectors -------------------------------------------------------------------------------------------------------


def test_a_selector_finds_its_members_in_the_order_of_their_names_each_once(
    home: Scripted, fleet: ArgoDeployments
) -> None:
    twice = labelled("checkout-b")
    home.plan(LIST, a_list(twice, labelled("checkout-a"), twice, labelled("cart", {"app": "cart"})))
    assert names(find(fleet, selecting())) == ["argocd/checkout-a", "argocd/checkout-b"]


def test_a_member_on_another_server_is_named_with_it_and_found_again_by_that_name(
    europe: Scripted, fleet: ArgoDeployments
) -> None:
    europe.plan(LIST, a_list(labelled(namespace="team")))
    europe.plan(f"{LIST}/checkout", an_answer(an_item()))
    (member,) = names(find(fleet, selecting(server="eu")))
    assert member == "eu:team/checkout"
    fleet.ask_refresh(member, hard=False)
    assert europe.asked[-1].query == "refresh=normal&appNamespace=team"


def test_members_of_one_name_in_two_namespaces_are_two(home: Scripted, fleet: ArgoDeployments) -> None:
    home.plan(LIST, a_list(labelled(), labelled(namespace="team")))
    assert names(find(fleet, selecting())) == ["argocd/checkout", "team/checkout"]
    assert names(find(fleet, selecting(namespace="team"))) == ["team/checkout"]


def test_a_selector_without_members_says_so(home: Scripted, fleet: ArgoDeployments) -> None:
    home.plan(LIST, a_list(labelled()))
    assert find(fleet, selecting(namespace="other")) == (NoApplication(name="app=checkout", is_selector=True),)
    none = Requirement(label="tier", values=("web", "api"))
    assert find(fleet, selecting(none)) == (NoApplication(name="tier in (web,api)", is_selector=True),)


def test_a_malformed_member_is_trouble_under_its_name_beside_the_others(home: Scripted, fleet: ArgoDeployments) -> None:
    home.plan(LIST, a_list(labelled("a", health="fine"), labelled("b")))
    trouble, member = find(fleet, selecting())
    assert isinstance(trouble, Trouble)
    assert trouble.sentence == "argocd/a: Argo CD's entry for it is malformed: health is no object"
    assert isinstance(member, Application)


@pytest.mark.parametrize(
    "labels",
    [5, "app=checkout", ["app"], {"app": 5}, {"app": None}, {"app": ["checkout"]}, {"APP": "checkout"}, {}],
    ids=repr,
)
def test_a_label_that_is_no_text_selects_nothing(labels: object) -> None:
    assert members([labelled("odd", labels), labelled("even")], selecting()) == ["argocd/even"]


# The labels are app=checkout and tier=web, as Kubernetes judges them.
@pytest.mark.parametrize(
    ("requirement", "holds"),
    [
        (Requirement(label="app", values=("checkout",)), True),
        (Requirement(label="app", values=("Checkout",)), False),
        (Requirement(label="app", values=("cart", "checkout")), True),
        (Requirement(label="app", values=("checkout",), negated=True), False),
        (Requirement(label="app", values=("cart",), negated=True), True),
        (Requirement(label="app"), True),
        (Requirement(label="app", negated=True), False),
        (Requirement(label="zone", values=("a",)), False),
        (Requirement(label="zone", values=("a",), negated=True), True),
        (Requirement(label="zone", values=("a", "b"), negated=True), True),
        (Requirement(label="zone"), False),
        (Requirement(label="zone", negated=True), True),
    ],
    ids=str,
)
def test_a_requirement_holds_as_in_kubernetes(requirement: Requirement, holds: bool) -> None:
    item = labelled("it", {"app": "checkout", "tier": "web"})
    wanted = ["argocd/it"] if holds else []
    assert members([item], selecting(requirement)) == wanted
    assert members([item], selecting(requirement, Requirement(label="tier", values=("web",)))) == wanted


# --- what is asked for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("projects", "query"),
    [((), ""), (("shop",), "projects=shop"), (("shop", "web"), "projects=shop&projects=web")],
    ids=["all", "one", "two"],
)
def test_the_list_is_narrowed_to_the_projects(home: Scripted, projects: tuple[str, ...], query: str) -> None:
    home.plan(LIST, a_list(an_item()))
    with ArgoDeployments({DEFAULT_SERVER: a_server(home, projects=projects)}) as deployments:
        find(deployments, AT_HOME)
    assert [asked.query for asked in home.asked] == [query]


class Below:
    """An ASGI application behind a path prefix, and nothing anywhere else: a proxy with a root path."""

    def __init__(self, prefix: str, app: ASGIApp) -> None:
        self._prefix = prefix
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(f"{self._prefix}/"):
            await Response("nothing here", status_code=418)(scope, receive, send)
            return
        await self._app({**scope, "path": path.removeprefix(self._prefix), "raw_path": None}, receive, send)


@pytest.mark.parametrize("slash", ["", "/"], ids=["without a slash", "with a slash"])
def test_a_root_path_is_kept_for_whatever_is_asked(home: Scripted, slash: str) -> None:
    one = f"/argocd{LIST}/checkout"
    item = an_item()
    item["metadata"]["annotations"] = {"liftlock.dev/authorized-stage": "checkout:production"}
    home.plan(f"/argocd{LIST}", a_list(an_item()))
    home.plan(one, an_answer(item))
    home.plan(f"{one}/syncwindows", an_answer({"canSync": True}))
    home.plan(f"{one}/sync", an_answer(item))
    endpoint = Endpoint(system="Argo CD", url=f"{home.url}/argocd{slash}", token=lambda: TOKEN)
    with ArgoDeployments({DEFAULT_SERVER: ArgoServer(endpoint, limits=FAST)}) as deployments:
        assert only(find(deployments, AT_HOME)).name == "checkout"
        deployments.ask_refresh("checkout", hard=True)
        assert deployments.why_blocked("checkout", automated=False) == ""
        deployments.start_sync("checkout", SyncOrder(revisions=(NEW,), positions=(), authority="checkout:production"))
    assert [(asked.method, asked.path) for asked in home.asked] == [
        ("GET", f"/argocd{LIST}"),
        ("GET", one),
        ("GET", f"{one}/syncwindows"),
        ("GET", one),
        ("POST", f"{one}/sync"),
    ]


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends, "it never came to hold"
        time.sleep(0.005)


def test_a_watch_below_a_root_path_stands_in_for_the_list_of_its_projects(tmp_path: Path) -> None:
    world = ArgoWorld(tmp_path, ArgoOptions())
    world.release("1.0.0")
    world.add()
    world.add("of-others", project="elsewhere")
    world.run(10)
    recorder = ExchangeRecorder(world.argocd.app)
    settings = WatchSettings(relist=timedelta(hours=1), silence=timedelta(hours=1))
    target = NamedApplication(name=APP)
    with ExitStack() as stack:
        served = stack.enter_context(Served(Below("/argocd", recorder)))
        stack.callback(world.argocd.stop)
        endpoint = Endpoint(system="Argo CD", url=f"{served.url}/argocd", token=lambda: world.argocd.token)
        server = ArgoServer(endpoint, projects=("default",), limits=FAST, watch=settings)
        deployments = stack.enter_context(ArgoDeployments({DEFAULT_SERVER: server}))

        def healths() -> list[str]:
            deployments.begin_sweep()
            return [only(find(deployments, target)).health]

        def lists() -> int:
            return sum(exchange.path.endswith("/applications") for exchange in recorder.exchanges if exchange.path)

        assert healths() == ["Healthy"]
        assert isinstance(find(deployments, NamedApplication(name="of-others"))[0], NoApplication)
        eventually(lambda: world.argocd.open_streams() == 1)
        world.argocd.set_health(APP, "Progressing")
        world.run(1)
        eventually(lambda: healths() == ["Progressing"])
        eventually(lambda: _is_followed(healths, lists))
        world.argocd.set_health(APP, "Degraded", "crashing")
        world.run(1)
        before = lists()
        eventually(lambda: healths() == ["Degraded"])
        assert lists() == before
        asked = {exchange.query for exchange in recorder.exchanges if exchange.path.endswith("/applications")}
        assert asked == {"projects=default"}


def _is_followed(look: Callable[[], object], lists: Callable[[], int]) -> bool:
    before = lists()
    look()
    return lists() == before


def test_without_a_watch_no_stream_is_asked_for(home: Scripted, fleet: ArgoDeployments) -> None:
    home.plan(LIST, a_list(an_item()))
    for _ in range(3):
        fleet.begin_sweep()
        find(fleet, AT_HOME)
    assert {asked.path for asked in home.asked} == {LIST}


# --- tokens and certificates -----------------------------------------------------------------------------------------


def test_a_token_that_was_rotated_on_disk_is_used_by_the_next_sweep(home: Scripted, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first-token\n")
    home.plan(LIST, a_list(an_item()))
    endpoint = Endpoint(system="Argo CD", url=home.url, token=lambda: read_secret_file(file))
    with ArgoDeployments({DEFAULT_SERVER: ArgoServer(endpoint, limits=FAST)}) as deployments:
        find(deployments, AT_HOME)
        file.write_text("second-token\n")
        deployments.begin_sweep()
        find(deployments, AT_HOME)
    assert [asked.headers["authorization"] for asked in home.asked] == ["Bearer first-token", "Bearer second-token"]


def test_a_token_that_is_refused_and_then_renewed_needs_no_restart(home: Scripted) -> None:
    token = "old-token"

    def answer(request: Request) -> Response:
        is_good = request.headers["authorization"] == "Bearer new-token"
        return a_list(an_item()) if is_good else Response(status_code=401)

    home.plan(LIST, answer)
    endpoint = Endpoint(system="Argo CD", url=home.url, token=lambda: token)
    with ArgoDeployments({DEFAULT_SERVER: ArgoServer(endpoint, limits=FAST)}) as deployments:
        assert isinstance(find(deployments, AT_HOME)[0], Trouble)
        token = "new-token"
        assert isinstance(find(deployments, AT_HOME)[0], Trouble), "the sweep's one look stands"
        deployments.begin_sweep()
        assert only(find(deployments, AT_HOME)).name == "checkout"


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_token_or_password_in_an_error_body_is_not_repeated(home: Scripted, status: int) -> None:
    body = f'{{"error":"token {TOKEN} of https://bot:hunter2@github.com is\\u001b[31m bad"}}'
    home.plan(LIST, PlainTextResponse(body, status_code=status))
    with ArgoDeployments({DEFAULT_SERVER: a_server(home)}) as deployments:
        (trouble,) = find(deployments, AT_HOME)
    assert isinstance(trouble, Trouble)
    assert f"refused to list its applications (HTTP {status})" in trouble.sentence
    assert TOKEN not in trouble.sentence
    assert "hunter2" not in trouble.sentence
    assert trouble.sentence.isprintable()


@pytest.mark.parametrize(
    ("trusts", "insecure", "works"),
    [(True, False, True), (False, False, False), (False, True, True)],
    ids=["private authority", "unknown authority", "insecure by explicit word"],
)
def test_a_certificate_is_checked_unless_told_otherwise(
    tmp_path: Path, trusts: bool, insecure: bool, works: bool
) -> None:
    body = bytes(a_list(an_item()).body)
    asked: list[str] = []

    def answer(path: str, headers: Any) -> bytes:
        asked.append(headers.get("authorization", ""))
        return body

    with serving_tls(tmp_path, answer) as tls:
        endpoint = Endpoint(
            system="Argo CD",
            url=tls.url,
            token=lambda: TOKEN,
            ca_file=tls.ca_file if trusts else None,
            insecure=insecure,
        )
        with ArgoDeployments({DEFAULT_SERVER: ArgoServer(endpoint, limits=FAST)}) as deployments:
            (seen,) = find(deployments, AT_HOME)
    if works:
        assert isinstance(seen, Application)
        assert asked == [f"Bearer {TOKEN}"]
    else:
        assert isinstance(seen, Trouble)
        assert seen.sentence.startswith(f"Argo CD at {tls.url} has a certificate that is not trusted: ")
        assert asked == [], "no token before the certificate is known"


def test_many_threads_look_at_two_servers_with_one_request_each(
    home: Scripted, europe: Scripted, fleet: ArgoDeployments
) -> None:
    home.plan(LIST, a_list(an_item()))
    europe.plan(LIST, a_list(an_item()))
    seen: list[Found] = []
    threads = [
        threading.Thread(target=lambda target=target: seen.append(find(fleet, target)))
        for target in (AT_HOME, IN_EUROPE) * 8
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted({only(one).name for one in seen}) == ["checkout", "eu:checkout"]
    assert (len(home.asked), len(europe.asked)) == (1, 1)
