"""A saved application is judged by a clone or a table that a person gives; a hostile file is one sentence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.git.clone import LocalClone
from bot.domain.model import Release, Sha
from bot.domain.stance import Stance
from bot.domain.text import one_line
from bot.ports import Permanent
from bot.saved_application import Explained, Question, explain_saved
from tests.adapters.gitserver import GitServer
from tests.domain.argo_cases import FOLDER, HYDRATED_B, HYDRATED_C, NAME, NOW, B, C, D, X, item_of

TABLE: dict[str, object] = {C: "yes", D: "yes", B: 2, HYDRATED_C: "yes", HYDRATED_B: 2}
RELEASE = Release(image="ghcr.io/acme/checkout", tag="1.9.0")


def saved(tmp_path: Path, item: object, name: str = "application.json") -> Path:
    file = tmp_path / name
    if isinstance(item, bytes):
        file.write_bytes(item)
    else:
        file.write_text(item if isinstance(item, str) else json.dumps(item), encoding="utf-8")
    return file


def ask(file: Path, *, ancestry: Path | None = None, commit: str = C, **more: Any) -> Explained:
    question = Question(file=file, name=NAME, commit=commit, ancestry=ancestry, **more)
    return explain_saved(question, NOW)


def reason(explained: Explained) -> str:
    return explained.liveness.reason.removeprefix(f"{NAME}: ")


def refusal(file: Path, **more: Any) -> str:
    with pytest.raises(Permanent) as caught:
        ask(file, **more)
    return caught.value.sentence


# --- by a table ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fixture", "stance"),
    [
        ("live", Stance.LIVE),
        ("live_at_later_commit", Stance.LIVE),
        ("multi_source_helm_values", Stance.LIVE),
        ("hydrated_live", Stance.LIVE),
        ("behind", Stance.WAITING),
        ("never_synced", Stance.WAITING),
        ("image_not_yet", Stance.WAITING),
        ("degraded", Stance.UNHEALTHY),
        ("missing", Stance.UNHEALTHY),
        ("failed", Stance.UNHEALTHY),
        ("comparison_error", Stance.CANNOT_TELL),
        ("revision_unknown", Stance.CANNOT_TELL),
    ],
)
def test_a_file_is_judged_as_a_sweep_judges_it(tmp_path: Path, fixture: str, stance: Stance) -> None:
    table = saved(tmp_path, TABLE, "ancestry.json")
    file = FOLDER / f"{fixture}.json"
    seen = ask(file, ancestry=table, repository="Acme/Deploy", branch="main", release=RELEASE)
    assert seen.liveness.stance is stance


def test_every_fixture_has_an_answer_without_any_ancestry() -> None:
    for file in sorted(FOLDER.glob("*.json")):
        assert ask(file).liveness.reason, file.name


def test_a_table_names_revisions_by_their_beginnings_in_any_case(tmp_path: Path) -> None:
    table = saved(tmp_path, {C[:7].upper(): "yes", B[:7].upper(): 3}, "ancestry.json")
    assert reason(ask(FOLDER / "behind.json", ancestry=table)).startswith(
        f"Argo CD still reports revision {B[:7]}, three commits behind {C[:7]}"
    )


def test_the_commit_itself_needs_no_table_and_others_are_unknown() -> None:
    assert ask(FOLDER / "live.json").liveness.stance is Stance.LIVE
    assert ask(FOLDER / "live_at_later_commit.json").liveness.stance is Stance.CANNOT_TELL


@pytest.mark.parametrize(
    ("told", "stance"),
    [
        ("yes", Stance.LIVE),
        ("other tag", Stance.WAITING),
        ("behind", Stance.WAITING),
        ("unknown", Stance.CANNOT_TELL),
        (1, Stance.WAITING),
        (10**30, Stance.WAITING),
    ],
)
def test_a_table_says_what_a_revision_is(tmp_path: Path, told: object, stance: Stance) -> None:
    table = saved(tmp_path, {D: told}, "ancestry.json")
    assert ask(FOLDER / "live_at_later_commit_only.json", ancestry=table).liveness.stance is stance


@pytest.mark.parametrize(
    "told",
    ["no", "YES", "", 0, -1, 1.5, True, False, None, [], {}, "x" * 1_000_000, "\x1b[31m"],
    ids=lambda x: repr(x)[:9],
)
def test_any_other_word_of_a_table_is_refused_with_what_is_expected(tmp_path: Path, told: object) -> None:
    table = saved(tmp_path, {C: "yes", D: told}, "ancestry.json")
    said = refusal(FOLDER / "live.json", ancestry=table)
    assert said == (
        f"{table}: {D}: found {one_line(json.dumps(told), limit=60)}, "
        "expected one of yes, behind, other tag, unknown, or how many commits it is behind"
    )


@pytest.mark.parametrize("key", ["a\nb", "\x1b[31mred", "x" * 1_000_000, "\u202egpj"], ids=lambda x: repr(x)[:9])
def test_a_hostile_name_in_a_table_stays_one_short_line(tmp_path: Path, key: str) -> None:
    said = refusal(FOLDER / "live.json", ancestry=saved(tmp_path, {key: "no"}, "ancestry.json"))
    assert said.isprintable()
    assert len(said) < 1000


@pytest.mark.parametrize("text", ["[]", '"yes"', "5", "null"])
def test_a_table_is_an_object(tmp_path: Path, text: str) -> None:
    table = saved(tmp_path, text, "ancestry.json")
    said = refusal(FOLDER / "live.json", ancestry=table)
    assert said.startswith(f"{table}: expected a JSON object")
    assert "argocd app get" not in said, "that prints an application, not a table"


@pytest.mark.parametrize("commit", ["c17a90e", C[:-1], C + "0"])
def test_without_a_clone_the_commit_is_named_in_full(tmp_path: Path, commit: str) -> None:
    said = refusal(FOLDER / "live.json", commit=commit, ancestry=saved(tmp_path, TABLE, "ancestry.json"))
    assert commit in said
    assert "expected" in said


# --- by a clone ------------------------------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path: Path) -> GitServer:
    """A bare repository: B, two commits later C, and a later D."""
    made = GitServer(tmp_path / "server")
    for number in range(4):
        made.commit({"README.md": f"{number}\n"})
    return made


def at_commits(clone: GitServer, fixture: str) -> str:
    """A fixture's text with the clone's commits in the place of B, C and D."""
    text = (FOLDER / f"{fixture}.json").read_text(encoding="utf-8")
    before, _, release, later = clone.git("rev-list", "--reverse", "main").split()
    for old, new in ((B, before), (C, release), (D, later)):
        text = text.replace(old, new)
    return text


def by_clone(tmp_path: Path, clone: GitServer, fixture: str, *, short: bool = False) -> Explained:
    release = clone.git("rev-parse", "main~1")
    file = saved(tmp_path, at_commits(clone, fixture))
    return ask(file, ancestry=clone.directory, commit=release[:8] if short else release)


@pytest.mark.parametrize("short", [False, True], ids=["in full", "by its beginning"])
def test_a_clone_says_what_has_the_commit_and_what_is_behind_it(tmp_path: Path, clone: GitServer, short: bool) -> None:
    assert by_clone(tmp_path, clone, "live_at_later_commit_only", short=short).liveness.stance is Stance.LIVE
    seen = by_clone(tmp_path, clone, "behind", short=short)
    assert seen.liveness.stance is Stance.WAITING
    assert ", two commits behind " in reason(seen)


def test_a_revision_that_the_clone_lacks_is_unknown(tmp_path: Path, clone: GitServer) -> None:
    seen = by_clone(tmp_path, clone, "revision_unknown")
    assert seen.liveness.stance is Stance.CANNOT_TELL
    assert X[:7] in reason(seen)


def test_of_a_hydrated_application_the_dry_commit_is_asked_for(tmp_path: Path, clone: GitServer) -> None:
    assert by_clone(tmp_path, clone, "hydrated_live").liveness.stance is Stance.LIVE


def test_a_hydrated_commit_that_argo_cd_names_no_more_is_not_called_behind(tmp_path: Path, clone: GitServer) -> None:
    """It never descends from a dry one. A sweep reads `hydrator.metadata` beside it; a guess would be wrong."""
    release = clone.git("rev-parse", "main~1")
    beside = json.dumps({"drySha": release})
    hydrated = clone.commit({"checkout/hydrator.metadata": beside}, branch="environments/production", parents=())
    item = json.loads(at_commits(clone, "hydrated_live").replace(HYDRATED_C, hydrated))
    item["status"]["sourceHydrator"] = {"currentOperation": {"phase": "Hydrated"}}
    seen = ask(saved(tmp_path, item), ancestry=clone.directory, commit=release)
    assert seen.liveness.stance in {Stance.LIVE, Stance.CANNOT_TELL}, reason(seen)


def test_a_commit_that_the_clone_lacks_is_told(tmp_path: Path, clone: GitServer) -> None:
    said = refusal(FOLDER / "live.json", ancestry=clone.directory, commit=C)
    assert said == f"the clone has no commit {C}; expected a commit's SHA"


def test_a_folder_that_is_no_clone_is_told(tmp_path: Path) -> None:
    assert refusal(FOLDER / "live.json", ancestry=tmp_path) == f"{tmp_path} is no clone of a Git repository"


def test_a_sync_that_ended_before_the_commit_was_made_counts_from_the_commit(tmp_path: Path, clone: GitServer) -> None:
    seen = by_clone(tmp_path, clone, "live")
    made = LocalClone.at(clone.directory).committed_at(Sha(clone.git("rev-parse", "main~1")))
    assert seen.liveness.deployed_at is not None
    assert seen.liveness.deployed_at >= made


# --- what counts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repository", "stance"),
    [
        (None, Stance.LIVE),
        ("acme/deploy", Stance.LIVE),
        ("ACME/Deploy", Stance.LIVE),
        ("acme/other", Stance.CANNOT_TELL),
    ],
)
def test_only_sources_of_the_named_repository_count(repository: str | None, stance: Stance) -> None:
    assert ask(FOLDER / "live.json", repository=repository).liveness.stance is stance


def test_images_matter_only_where_a_release_is_named(tmp_path: Path) -> None:
    file = FOLDER / "image_not_yet.json"
    assert ask(file).liveness.stance is Stance.LIVE
    assert ask(file, release=RELEASE).liveness.stance is Stance.WAITING
    assert ask(file).application.images == ()


def test_an_answer_depends_on_the_moment_only_where_it_says_so(tmp_path: Path) -> None:
    file = FOLDER / "live.json"
    question = Question(file=file, name=NAME, commit=C)
    seen = {explain_saved(question, NOW + timedelta(days=day)).liveness for day in range(3)}
    assert len(seen) == 1


# --- hostile files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no JSON"),
        (b"not JSON", "is no JSON"),
        (b"\xff\xfe\x00", "is no JSON"),
        (b"kind: Application\nmetadata:\n  name: x\n", "is no JSON"),
        (b"[" * 1_000_000, "is no JSON"),
        (b'{"a":' * 1_000_000, "is no JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "is no JSON"),
        (b"[]", "expected a JSON object, such as `argocd app get NAME -o json` prints"),
        (b'"x"', "expected a JSON object, such as `argocd app get NAME -o json` prints"),
        (b'{"status": []}', "is no Argo CD application: status is no object"),
        (b'{"status": {"sync": {"status": 5}}}', "is no Argo CD application: status is no text"),
        (b'{"metadata": {"annotations": 5}}', "is no Argo CD application: annotations is no object"),
        (b'{"spec": {"sources": {"a": 1}}}', "is no Argo CD application: sources is no list of objects"),
        (b'{"status": {"reconciledAt": "soon"}}', "is no Argo CD application: reconciledAt is no instant"),
        (b'{"status": {"operationState": {"retryCount": -1, "phase": "x"}}}', "retryCount is no count"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_file_that_is_no_application_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    file = saved(tmp_path, content)
    found = refusal(file)
    assert found.startswith(f"{file}: ")
    assert said in found
    assert "\n" not in found


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.json"
    with file.open("wb") as handle:
        handle.truncate(32 * 1024 * 1024 + 1)
    assert refusal(file) == f"{file}: is larger than 33554432 bytes"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "absent.json"
    assert refusal(file) == f"{file}: cannot be read: No such file or directory"
    assert refusal(FOLDER / "live.json", ancestry=file) == f"{file}: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    "word", ["\x1b[31mHealthy\n", "x" * 1_000_000, "\u202eyhtlaeH", "\ud800"], ids=lambda x: repr(x)[:9]
)
@pytest.mark.parametrize("path", [("health", "status"), ("sync", "status")], ids=str)
def test_a_hostile_word_of_a_status_is_made_short_and_printable(
    tmp_path: Path, path: tuple[str, str], word: str
) -> None:
    item = item_of("live")
    item["status"][path[0]][path[1]] = word
    said = reason(ask(saved(tmp_path, item)))
    assert said.isprintable()
    assert len(said) < 1000


def test_an_application_that_says_nothing_at_all_is_not_live(tmp_path: Path) -> None:
    seen = ask(saved(tmp_path, {}))
    assert seen.liveness.stance is Stance.CANNOT_TELL
    assert reason(seen) == "none of its sources comes from the stage's repository"


def test_a_password_in_a_saved_message_is_struck(tmp_path: Path) -> None:
    item = item_of("comparison_error")
    item["status"]["conditions"][0]["message"] = "fetch https://bot:hunter2@github.com/acme/deploy failed"
    assert "hunter2" not in reason(ask(saved(tmp_path, item)))


def test_now_may_be_long_before_or_after_what_the_file_tells() -> None:
    question = Question(file=FOLDER / "behind.json", name=NAME, commit=C)
    for now in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        assert explain_saved(question, now).liveness.reason
