"""Git, as the settings describe it: where mirrors lie, who commits, and what signs."""

from __future__ import annotations

from collections.abc import Callable

from bot.adapters.git import Author, GitLimits, GitRepositories, GitSettings, SignatureFormat, Signing
from bot.adapters.git.commits import ServerCommits
from bot.compose.records import make_state_directory
from bot.ports import Clock
from bot.settings import GitSection, Settings


def git_repositories(
    settings: Settings, token_for: Callable[[str], str], clock: Clock, *, server: ServerCommits | None = None
) -> GitRepositories:
    """Build the repositories; raise SettingsError where their mirrors have no place. `server` makes signed commits."""
    mirrors = settings.bot.state / "mirrors"
    make_state_directory(mirrors)
    git = GitSettings(
        mirrors=mirrors,
        url=f"{settings.github.url.rstrip('/')}/{{repository}}.git",
        author=Author(name=settings.git.author_name, email=settings.git.author_email),
        limits=GitLimits(
            network=settings.git.deadline,
            history_commits=settings.git.history_commits,
            max_file_bytes=settings.git.max_file_bytes,
        ),
        signing=_signing(settings.git),
    )
    return GitRepositories(git, token=token_for, clock=clock, server=server)


def _signing(section: GitSection) -> Signing | None:
    if section.signing_format is None or section.signing_key is None:
        return None
    return Signing(
        format=SignatureFormat(section.signing_format), key=section.signing_key, gnupg_home=section.gnupg_home
    )
