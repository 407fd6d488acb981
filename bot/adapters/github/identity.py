"""Who the bot is at GitHub, and how it knows itself in what GitHub says of people and apps.

REST names an app's account `slug[bot]`, GraphQL names it `slug` and says that it is a bot: a person may be called the
same, so the kind of the account counts. Where both numbers are known, the number decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.adapters.github.nodes import Node

_GHOST = "ghost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The bot's own account. `login` is as REST writes it; `app_id` is there for a GitHub App only."""

    login: str
    user_id: int | None = None
    app_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody, as GitHub says it. `login` is as REST writes it."""

    login: str
    id: int | None
    is_app: bool

    def is_same(self, own: Identity) -> bool:
        """Say whether this is the bot."""
        if self.id is not None and own.user_id is not None:
            return self.id == own.user_id
        return self.login.lower() == own.login.lower()


def account_of_graph(actor: Node | None) -> Account | None:
    """Read an actor of GraphQL's; None for an account that is gone."""
    if actor is None:
        return None
    is_app = actor.text("__typename") == "Bot"
    login = actor.text("login")
    shown = f"{login}[bot]" if is_app and not login.endswith("[bot]") else login
    return Account(login=shown, id=actor.maybe_number("databaseId"), is_app=is_app)


def account_of_rest(user: Node | None) -> Account | None:
    """Read a user of REST's; None for an account that is gone."""
    if user is None:
        return None
    login = user.text("login")
    return Account(login=login, id=user.maybe_number("id"), is_app=user.raw("type") == "Bot" or login.endswith("[bot]"))


def name_of(account: Account | None) -> str:
    """Return the login; GitHub shows those who are gone as `ghost`."""
    return _GHOST if account is None else account.login
