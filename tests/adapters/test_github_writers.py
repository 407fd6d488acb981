"""Who wrote the commits between two: every hand in them, each account once, and never a guess."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from bot.adapters.github.writers import MOST_COMMITS
from bot.domain.approvals import Writer, Writers
from bot.ports import OutsideError, Permanent, Transient
from tests.adapters.githubparts import BAD_GATEWAY, HEAD, OLD_HEAD, REPO, Parts, always, parts_for
from tests.adapters.githubserver import Answer, FakeGitHub, fake_github
from tests.adapters.githubworld import IDS, Json, user

DANA, RITA = Writer(id=IDS["dana"], login="dana"), Writer(id=IDS["rita"], login="rita")
GITHUB = "noreply@github.com"


@pytest.fixture(name="github")
def fixture_github() -> Iterator[FakeGitHub]:
    with fake_github() as github:
        yield github


@pytest.fixture(name="parts")
def fixture_parts(github: FakeGitHub) -> Iterator[Parts]:
    with parts_for(github) as parts:
        yield parts


def person(login: str | None, name: str = "Dev Eloper", email: str = "dev@acme.example") -> tuple[Json | None, Json]:
    """An account as the commit's answer has it, and what the commit says itself."""
    return user(login), {"name": name, "email": email}


def commit(
    n: int,
    author: tuple[Json | None, Json],
    committer: tuple[Json | None, Json] | None = None,
    *,
    message: str = "Change it",
    parents: int = 1,
    verified: bool = False,
) -> Json:
    by = committer or author
    return {
        "sha": f"{n:040x}",
        "author": author[0],
        "committer": by[0],
        "parents": [{"sha": f"{parent:040x}"} for parent in range(parents)],
        "commit": {
            "message": message,
            "author": author[1],
            "committer": by[1],
            "verification": {"verified": verified},
        },
    }


def told(parts: Parts, github: FakeGitHub, commits: Sequence[Json]) -> Writers | None:
    github.compared[f"{OLD_HEAD}...{HEAD}"] = {"status": "ahead", "commits": list(commits)}
    return parts.signals.writers_of(REPO, OLD_HEAD, HEAD)


def test_authors_and_committers_are_told_each_once(parts: Parts, github: FakeGitHub) -> None:
    commits = [commit(1, person("dana")), commit(2, person("dana"), person("rita")), commit(3, person("rita"))]
    assert told(parts, github, commits) == Writers(accounts=(DANA, RITA))
    assert len(github.requests) == 1


def test_between_a_commit_and_itself_nobody_wrote_anything(parts: Parts, github: FakeGitHub) -> None:
    assert told(parts, github, []) == Writers()


def test_a_commit_that_is_not_known_is_told_apart_from_no_writers(parts: Parts) -> None:
    assert parts.signals.writers_of(REPO, OLD_HEAD, HEAD) is None


def test_those_without_an_account_are_named_once_for_each_address(parts: Parts, github: FakeGitHub) -> None:
    commits = [
        commit(1, person(None)),
        commit(2, person(None, "Another name", "DEV@acme.example")),
        commit(3, person(None, "Ops", "ops@acme.example")),
        commit(4, ({}, {"name": "", "email": "bare@acme.example"})),
    ]
    assert told(parts, github, commits) == Writers(unknown=("somebody without a name", "Dev Eloper", "Ops"))


def test_an_app_whose_account_is_not_told_is_known_by_the_number_in_its_address(
    parts: Parts, github: FakeGitHub
) -> None:
    by_app = person(None, "renovate[bot]", "29139614+renovate[bot]@users.noreply.github.com")
    by_person = person(None, "Eve", "77+eve@users.noreply.github.com")
    assert told(parts, github, [commit(1, by_app), commit(2, by_person)]) == Writers(
        accounts=(Writer(id=29139614, login="renovate[bot]"),), unknown=("Eve",)
    )


# GitHub commits what is done on its pages, and writes only merges by itself.
@pytest.mark.parametrize(
    ("parents", "verified", "committer", "expected"),
    [
        pytest.param(1, True, GITHUB, Writers(accounts=(DANA,)), id="squashed on its pages"),
        pytest.param(2, True, GITHUB, Writers(), id="merged on its pages"),
        pytest.param(2, False, GITHUB, Writers(accounts=(DANA,)), id="a merge that only says so"),
        pytest.param(2, True, "rita@acme.example", Writers(accounts=(DANA, RITA)), id="a merge by a person"),
    ],
)
def test_github_itself_is_nobody(
    parts: Parts, github: FakeGitHub, parents: int, verified: bool, committer: str, expected: Writers
) -> None:
    by = person("rita" if committer != GITHUB else "web-flow", "x", committer)
    one = commit(1, person("dana"), by, parents=parents, verified=verified)
    assert told(parts, github, [one]) == expected


def test_co_authors_are_asked_for_where_a_message_names_some(parts: Parts, github: FakeGitHub) -> None:
    message = "Change it\n\nco-authored-by: Rita <rita@acme.example>"
    commits = [commit(1, person("dana"), message=message), commit(2, person("dana"))]
    github.authors[f"{1:040x}"] = [
        {"name": "Dana", "email": "dana@acme.example", "user": {"databaseId": DANA.id, "login": "dana"}},
        {"name": "Rita", "email": "rita@acme.example", "user": {"databaseId": RITA.id, "login": "rita"}},
        {"name": "Temp", "email": "temp@acme.example", "user": None},
        {"name": None, "email": None, "user": None},
    ]
    assert told(parts, github, commits) == Writers(accounts=(DANA, RITA), unknown=("somebody without a name", "Temp"))
    assert [path for _, path in github.requests].count("/graphql") == 1


def test_many_commits_are_read_page_by_page(parts: Parts, github: FakeGitHub) -> None:
    message = "Change it\n\nCo-authored-by: Rita <rita@acme.example>"
    commits = [commit(n, person("dana"), message=message) for n in range(1, 121)]
    rita = {"name": "Rita", "email": "rita@acme.example", "user": {"databaseId": RITA.id, "login": "rita"}}
    github.authors = {one["sha"]: [rita] for one in commits}
    assert told(parts, github, commits) == Writers(accounts=(DANA, RITA))
    assert [path for _, path in github.requests].count("/graphql") == 3
    assert len(github.requests) == 5


def test_of_more_than_a_thousand_nobody_is_told(parts: Parts, github: FakeGitHub) -> None:
    commits = [commit(n, person("dana")) for n in range(MOST_COMMITS + 1)]
    with pytest.raises(Permanent, match=r"there are 1,001, more than 1,000"):
        told(parts, github, commits)


def test_a_list_that_ends_too_early_is_not_taken_for_whole(parts: Parts, github: FakeGitHub) -> None:
    answers: list[Answer] = [
        (200, {"total_commits": 2, "commits": [commit(1, person("dana"))]}, {}),
        (200, {"total_commits": 2, "commits": []}, {}),
    ]
    github.before = lambda method, path: answers.pop(0)
    with pytest.raises(Transient, match="1 of 2 were told"):
        parts.signals.writers_of(REPO, OLD_HEAD, HEAD)


def test_more_co_authors_than_are_told_are_not_passed_over(parts: Parts, github: FakeGitHub) -> None:
    one = commit(1, person("dana"), message="x\n\nCo-authored-by: R <r@acme.example>")
    github.authors[one["sha"]] = [{"name": "R", "email": f"r{n}@acme.example", "user": None} for n in range(101)]
    with pytest.raises(Permanent, match="names more than a hundred"):
        told(parts, github, [one])


def test_a_co_authored_commit_that_graphql_does_not_have_is_no_answer(parts: Parts, github: FakeGitHub) -> None:
    one = commit(1, person("dana"), message="x\n\nCo-authored-by: R <r@acme.example>")
    with pytest.raises(OutsideError):
        told(parts, github, [one])


def test_a_failing_github_is_told_in_one_sentence(parts: Parts, github: FakeGitHub) -> None:
    github.before = always(BAD_GATEWAY)
    with pytest.raises(Transient, match="find out who wrote the commits from"):
        parts.signals.writers_of(REPO, OLD_HEAD, HEAD)
