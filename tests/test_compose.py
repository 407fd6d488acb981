"""What the composed parts are made of, where a default of one part would be wrong for another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.responses import Response

from bot.compose.endpoints import registry_access, registry_endpoints
from bot.compose.policies import read_policies
from bot.compose.whole import compose
from bot.domain.argo import Application, NamedApplication
from bot.domain.stops import stop_of_everything
from bot.engine.record import note_policy
from bot.engine.sweep import Sweeper
from bot.records import SWEEP, Event, Posting
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


FLOOR = "apiVersion: liftlock.dev/v1\nfloor:\n  - every: promoted\n    promote: {merge: human}\n"
CHECKOUT = Path(__file__).resolve().parents[1] / "policies" / "examples" / "checkout.yaml"


def a_place_with_a_floor(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("t0ken")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "checkout.yaml").write_bytes(CHECKOUT.read_bytes())
    text = CHECKOUT.read_text("utf-8").replace("checkout", "till").replace("merge: auto", "merge: human")
    (tmp_path / "policies" / "till.yaml").write_text(text)
    path = tmp_path / "liftlock.toml"
    settings = SETTINGS.format(url="http://127.0.0.1:9").replace(
        'state = "state"', 'state = "state"\nfloor = "floor.yaml"'
    )
    path.write_text(settings)
    return path


def test_a_service_below_the_floor_stops_as_one_with_a_broken_policy_and_others_go_on(tmp_path: Path) -> None:
    path = a_place_with_a_floor(tmp_path)
    (tmp_path / "floor.yaml").write_text(FLOOR)
    with compose(load_settings(path), dry_run=True) as bot:
        policies, (below,) = bot.sweeper.load_policies()
    assert [policy.service for policy in policies] == ["till"]
    assert below.file == "checkout.yaml"
    place = "checkout.yaml:21:40: stages[production].promote.merge"
    assert below.faults == (f"{place}: found auto, expected human or stricter, by {tmp_path / 'floor.yaml'}:4:14",)


def test_with_a_floor_that_is_not_there_no_policy_is_accepted_and_the_board_says_why(tmp_path: Path) -> None:
    path = a_place_with_a_floor(tmp_path)
    with compose(load_settings(path)) as bot:
        (report,) = bot.sweeper.sweep()
        postings = {posting.subject: posting.body for posting in bot.sweeper.board.postings()}
    floor = str(tmp_path / "floor.yaml")
    assert report.subject == floor
    assert report.error is not None
    assert "no policy is accepted until there is one" in report.error
    assert postings[floor]["file"] == floor
    assert postings[SWEEP]["services"] == 0


def test_a_floor_that_breaks_while_the_bot_runs_stays_in_force_and_is_shown(tmp_path: Path) -> None:
    path = a_place_with_a_floor(tmp_path)
    (tmp_path / "floor.yaml").write_text(FLOOR)
    with compose(load_settings(path), dry_run=True) as bot:
        bot.sweeper.load_policies()
        (tmp_path / "floor.yaml").write_text("floor: [")
        policies, broken = bot.sweeper.load_policies()
    assert [policy.service for policy in policies] == ["till"]
    assert [item.file for item in broken] == [str(tmp_path / "floor.yaml"), "checkout.yaml"]


@contextmanager
def a_local_bot(folder: Path) -> Iterator[Sweeper]:
    path = folder / "liftlock.toml"
    path.write_text(SETTINGS.format(url="http://127.0.0.1:9"))
    (folder / "token").write_text("t0ken")
    with compose(load_settings(path)) as bot:
        yield bot.sweeper


def test_after_a_restart_a_broken_file_of_a_directory_keeps_the_policy_that_the_ledger_has(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    file = tmp_path / "policies" / "checkout.yaml"
    text = (Path(__file__).parents[1] / "policies" / "examples" / "checkout.yaml").read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    with a_local_bot(tmp_path) as sweeper:
        (before,), broken = sweeper.load_policies()
        assert not broken
        note_policy(sweeper.world.ledger, before, None, datetime.now(UTC))
        sweeper.board.post(Posting(subject="checkout", at=datetime.now(UTC), body={}))
    file.write_text("service: [", encoding="utf-8")
    with a_local_bot(tmp_path) as sweeper:
        (kept,), (told,) = sweeper.load_policies()
        assert kept == before
        assert (told.how, told.service) == ("broken", "checkout")
        assert told.in_force == f"its version {before.version[:12]} for checkout"
    read = read_policies(load_settings(tmp_path / "liftlock.toml"))
    assert (read.by_service, read.halted, read.why_none) == ({"checkout": before}, [], "")
    with a_local_bot(tmp_path) as sweeper:
        # Its service was not handled any more.
        sweeper.board.remove("checkout")
        policies, (told,) = sweeper.load_policies()
        assert (list(policies), told.how, told.in_force) == ([], "halted", "")


def test_a_directory_that_was_away_for_one_sweep_keeps_its_last_good_versions(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    text = (Path(__file__).parents[1] / "policies" / "examples" / "checkout.yaml").read_text(encoding="utf-8")
    (folder / "checkout.yaml").write_text(text, encoding="utf-8")
    with a_local_bot(tmp_path) as sweeper:
        (before,), _ = sweeper.load_policies()
        note_policy(sweeper.world.ledger, before, None, datetime.now(UTC))
        sweeper.board.post(Posting(subject="checkout", at=datetime.now(UTC), body={}))
        folder.rename(tmp_path / "away")
        (report,) = sweeper.sweep()
        assert "expected a directory of policies" in str(report.error)
        (tmp_path / "away").rename(folder)
    (folder / "checkout.yaml").write_text("service: [", encoding="utf-8")
    with a_local_bot(tmp_path) as sweeper:
        policies, _ = sweeper.load_policies()
    assert list(policies) == [before]


def test_a_hold_of_an_unknown_service_or_stage_stops_everything_also_while_another_file_is_broken(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    text = (Path(__file__).parents[1] / "policies" / "examples" / "checkout.yaml").read_text(encoding="utf-8")
    (folder / "checkout.yaml").write_text(text, encoding="utf-8")
    (folder / "other.yaml").write_text("service: web\n", encoding="utf-8")
    with a_local_bot(tmp_path) as sweeper:
        for line, is_everything in (
            ("checkout/prod", True),
            ("chekout", True),
            ("other", True),
            ("checkout/production", False),
            ("web/production", False),
        ):
            (folder / "HOLD").write_text(f"{line}: the sale runs\n", encoding="utf-8")
            sweeper.load_policies()
            assert (stop_of_everything(sweeper.load_stops()) is not None) is is_everything, line


def test_of_a_folder_that_is_broken_as_a_whole_no_line_of_the_holds_is_a_mistake(tmp_path: Path) -> None:
    path = a_place_with_a_floor(tmp_path)
    (tmp_path / "floor.yaml").write_text("floor: [")
    (tmp_path / "policies" / "HOLD").write_text("checkout: the sale runs\n", encoding="utf-8")
    (stop,) = read_policies(load_settings(path)).stops
    assert stop.service == "checkout"


def test_a_directory_that_is_not_there_is_said_and_nothing_is_in_force(tmp_path: Path) -> None:
    with a_local_bot(tmp_path) as sweeper:
        policies, (told,) = sweeper.load_policies()
    assert (list(policies), told.how) == ([], "halted")
    read = read_policies(load_settings(tmp_path / "liftlock.toml"))
    assert "expected a directory of policies" in read.why_none
