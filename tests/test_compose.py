"""What the composed parts are made of, where a default of one part would be wrong for another."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.responses import Response

from bot.compose.endpoints import registry_access, registry_endpoints
from bot.compose.whole import compose
from bot.domain.argo import Application, NamedApplication
from bot.records import Event
from bot.settings import load_settings
from tests.adapters.scripted import serving

REGISTRIES = """\
[registries."ghcr.io"]
token_file = "token"
[registries."docker.io"]
[registries."Docker.io"]
url = "https://mirror.example"
token_service = "https://tokens.example"
[registries."ecr.example"]
docker_config = "config.json"
"""
SETTINGS = """\
[bot]
policies = "policies"
state = "state"
[github]
url = "http://127.0.0.1:9"
api = "http://127.0.0.1:9"
token_file = "token"
[argocd]
url = "{url}"
[prometheus]
url = "http://127.0.0.1:9"
"""


def an_entry(number: int) -> dict[str, object]:
    padding = [{"kind": "ConfigMap", "name": f"c{n}", "status": "Synced", "namespace": "x" * 60} for n in range(60)]
    status = {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}, "resources": padding}
    return {"metadata": {"name": f"app-{number}", "namespace": "argocd"}, "spec": {}, "status": status}


def test_a_list_of_thousands_of_applications_is_read(tmp_path: Path) -> None:
    """The default of 8 MiB for answers is for small ones: it would have refused the list of 1,000 applications."""
    body = json.dumps({"metadata": {}, "items": [an_entry(number) for number in range(2000)]}).encode()
    assert len(body) > 12 * 1024 * 1024
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "policies").mkdir()
    path = tmp_path / "liftlock.toml"
    target = NamedApplication(name="app-1999")
    with serving() as server:
        server.plan("/api/v1/applications", Response(body, media_type="application/json"))
        path.write_text(SETTINGS.format(url=server.url))
        with compose(load_settings(path), dry_run=True) as bot:
            found = bot.sweeper.world.deployments.find_applications([target], repository="a/b", branch="main")
    (seen,) = found[target]
    assert isinstance(seen, Application)


def test_what_is_older_than_the_ledger_keeps_goes_and_a_dry_run_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "policies").mkdir()
    path = tmp_path / "liftlock.toml"
    path.write_text(f'{SETTINGS.format(url="http://127.0.0.1:9")}[ledger]\nkeep = "2d"\n')
    now = datetime.now(UTC)
    with compose(load_settings(path)) as bot:
        for days in (3, 1, 0):
            event = Event(at=now - timedelta(days=days), service="checkout", kind="decision", body={"days": days})
            bot.sweeper.world.ledger.record(event)
    with compose(load_settings(path), dry_run=True) as bot:
        bot.keep_house()
        assert [event.body["days"] for event in bot.sweeper.world.ledger.events()] == [0, 1, 3]
    with compose(load_settings(path)) as bot:
        bot.keep_house()
        assert [event.body["days"] for event in bot.sweeper.world.ledger.events()] == [0, 1]
        assert bot.archive is not None
        assert [entry.body is None for entry in bot.archive.entries()] == [True, False, False]


def test_docker_hub_is_asked_where_it_serves_its_images_unless_the_settings_say_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "liftlock.toml"
    path.write_text(SETTINGS.format(url="http://127.0.0.1:9") + REGISTRIES, encoding="utf-8")
    settings = load_settings(path)
    assert {host: endpoint.url for host, endpoint in registry_endpoints(settings).items()} == {
        "ghcr.io": "https://ghcr.io",
        "docker.io": "https://registry-1.docker.io",
        "Docker.io": "https://mirror.example",
        "ecr.example": "https://ecr.example",
    }
    access = registry_access(settings)
    assert {host: one.token_service for host, one in access.items()} == {
        "ghcr.io": None,
        "docker.io": "https://auth.docker.io",
        "Docker.io": "https://tokens.example",
        "ecr.example": None,
    }
    assert access["ecr.example"].docker_config == tmp_path / "config.json"
