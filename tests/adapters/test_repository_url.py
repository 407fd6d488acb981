from __future__ import annotations

import pytest

from bot.adapters.repository_url import is_repository


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/deploy",
        "https://github.com/acme/deploy.git",
        "https://github.com/acme/deploy/",
        "https://github.com/acme/deploy.git/",
        "https://x-access-token:t0ken@GitHub.com:443/Acme/Deploy.GIT",
        "http://github.com/acme/deploy",
        "ssh://git@github.com:22/acme/deploy.git",
        "ssh://git@ssh.github.com:443/acme/deploy.git",
        "git@github.com:acme/deploy.git",
        "git@github.com:/acme/deploy",
        "github.com:acme/deploy",
        "  git@github.com:acme/deploy ",
    ],
)
def test_all_spellings_of_a_repository_are_one(url: str) -> None:
    assert is_repository(url, "acme/deploy", forge_host="github.com")
    assert is_repository(url, "Acme/Deploy", forge_host=None)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/deploy-old",
        "https://github.com/acme/deploy.git.git",
        "https://github.com/evil/acme/deploy",
        "https://github.com/deploy",
        "https://github.com/",
        "https://github.com/acme/deploy/tree",
        "registry.example.com/acme/deploy",
        "acme/deploy",
        "https://[github.com/acme/deploy",
        "",
    ],
)
def test_another_repository_is_another(url: str) -> None:
    assert not is_repository(url, "acme/deploy", forge_host="github.com")
    assert not is_repository(url, "acme/deploy", forge_host=None)


@pytest.mark.parametrize("url", ["https://github.com.evil.example/acme/deploy", "https://evil.example/acme/deploy"])
def test_the_host_counts_where_the_forge_is_known(url: str) -> None:
    assert not is_repository(url, "acme/deploy", forge_host="github.com")
    assert is_repository(url, "acme/deploy", forge_host=None)
