"""Whose series a service may ask of a data source: label matchers that the operator's settings force on its queries.

`always` stand in every query to the source. Where there are tenants, the first that names the service adds its own, and
a service that none names gets no query at all: what nobody allowed is not asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from bot.domain.queries import Labels, literal, quote

PLACES = ("service", "owner")
"""What may stand in braces in a forced value: the service, and the owner of its GitOps repository."""
_PLACE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forced:
    """A matcher that is forced on a query: a label and what its value must be; with `is_pattern` an RE2 for all of it.

    A series that lacks the label never fits: a value is never empty.
    """

    name: str
    value: str
    is_pattern: bool = False

    @property
    def text(self) -> str:
        """The matcher in PromQL, as it stands in the query."""
        return f"{self.name}{'=~' if self.is_pattern else '='}{quote(self.value)}"

    def allows(self, value: str) -> bool:
        """Say whether series with this value of the label may be asked for."""
        return re.fullmatch(self.value, value, re.DOTALL) is not None if self.is_pattern else value == self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Some services, by names in which `*` stands for any text, and the labels that their series have."""

    services: tuple[str, ...]
    matchers: Labels

    def has(self, service: str) -> bool:
        """Say whether the service is one of them."""
        return any(fnmatchcase(service, name) for name in self.services)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """What is forced at one data source. Values may have `{service}`, `{owner}` and `*` for any text."""

    always: Labels = ()
    tenants: tuple[Tenant, ...] = ()

    @property
    def is_free(self) -> bool:
        """Whether nothing is forced at all."""
        return not self.always and not self.tenants

    def forced_on(self, service: str, repository: str) -> tuple[Forced, ...] | None:
        """Return the matchers for a service whose GitOps repository this is; None where no tenant names it."""
        tenant = next((one for one in self.tenants if one.has(service)), None)
        if tenant is None and self.tenants:
            return None
        words = {"service": service, "owner": repository.partition("/")[0]}
        own = tenant.matchers if tenant is not None else ()
        return tuple(_forced(name, value, words) for name, value in (*self.always, *own))


def unknown_places(value: str) -> list[str]:
    """Return what stands in braces in a forced value and is no place."""
    return [place for place in _PLACE.findall(value) if place not in PLACES]


def _forced(name: str, value: str, words: Mapping[str, str]) -> Forced:
    pieces = [_PLACE.sub(lambda found: words[found[1]], piece) for piece in value.split("*")]
    if len(pieces) == 1:
        return Forced(name=name, value=pieces[0])
    return Forced(name=name, value=".*".join(map(literal, pieces)), is_pattern=True)
