"""Who may do what in the made-up forge: roles and teams of a test file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.domain.authority import Permission
from bot.policy.grammar import HANDLE
from bot.policy.reading import Section, matching, one_of, parsed

LOGIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?"
A_LOGIN = "a login of GitHub's, such as dana"
AUTHOR = "alice"
"""Who wrote and released what nobody else is named for."""
ROLES: Mapping[str, Permission] = {role.name.lower(): role for role in Permission if role}
USUAL = Permission.WRITE
"""What those may do of whom nothing is said."""


def read_people(top: Section) -> Mapping[str, Permission]:
    """Read the roles of people, by login."""
    section = top.section("people")
    found: dict[str, Permission] = {}
    if section is None:
        return found
    for login, value in section.entries.items():
        role = parsed(value, section.at(login[:60]), section.faults, one_of(tuple(ROLES)), f"one of {', '.join(ROLES)}")
        section.asked.add(login)
        if re.fullmatch(LOGIN, login) is None:
            place = (section.value.keys or {})[login]
            section.faults.note_at(place, section.at(login[:60]), "no login", A_LOGIN)
        elif role is not None:
            found[login] = ROLES[role]
    section.finish()
    return found


def read_teams(top: Section) -> Mapping[str, frozenset[str]]:
    """Read the members of teams, by the team's name without `@`."""
    section = top.section("teams")
    found: dict[str, frozenset[str]] = {}
    if section is None:
        return found
    for team in section.entries:
        if re.fullmatch(HANDLE, f"@{team}") is None or "/" not in team:
            place = (section.value.keys or {})[team]
            section.faults.note_at(place, section.at(team[:60]), "no team", "a team such as acme/release")
        members = [parsed(one, path, section.faults, matching(LOGIN), A_LOGIN) for path, one in section.items(team)]
        found[team] = frozenset(member for member in members if member is not None)
    section.finish()
    return found
