"""What the settings force on the queries of a Prometheus: labels, and which services have which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bot.domain.tenancy import PLACES, Tenancy, Tenant, unknown_places


def _forced_value(value: str) -> str:
    unknown = unknown_places(value)
    if unknown:
        known = " and ".join(f"{{{place}}}" for place in PLACES)
        raise ValueError(f"no other places than {known}")
    if not value.strip("*"):
        raise ValueError("a value that says something: with * alone every series would do")
    return value


Label = Annotated[str, Field(pattern=r"^_?[a-zA-Z][a-zA-Z0-9_]*$")]
Value = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$"), AfterValidator(_forced_value)]
ForcedLabels = Mapping[Label, Value]
_Service = Annotated[str, Field(pattern=r"^[a-z0-9*](?:[-a-z0-9*]{0,61}[a-z0-9*])?$")]


class TenantSection(BaseModel):
    """Some services, by names in which `*` is any text, and the labels that are forced on their queries."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    services: Annotated[tuple[_Service, ...], Field(min_length=1)]
    matchers: Annotated[ForcedLabels, Field(min_length=1)]

    def as_tenant(self) -> Tenant:
        """Return it as the domain's value."""
        return Tenant(services=self.services, matchers=tuple(self.matchers.items()))


def tenancy_of(force: ForcedLabels, tenants: tuple[TenantSection, ...]) -> Tenancy:
    """Return all that is forced at one source."""
    return Tenancy(always=tuple(force.items()), tenants=tuple(tenant.as_tenant() for tenant in tenants))
