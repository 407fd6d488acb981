"""Which label matchers are forced on the queries of a service."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.tenancy import Forced, Tenancy, Tenant, unknown_places

SHOP = Tenant(services=("checkout", "shop-*"), matchers=(("team", "shop"),))
REST = Tenant(services=("*",), matchers=(("team", "{owner}"), ("namespace", "{service}-*")))


def texts(tenancy: Tenancy, service: str, repository: str = "acme/deploy") -> list[str] | None:
    found = tenancy.forced_on(service, repository)
    return None if found is None else [matcher.text for matcher in found]


def test_without_tenants_every_service_has_what_is_always_forced() -> None:
    tenancy = Tenancy(always=(("cluster", "eu-1"),))
    assert texts(tenancy, "anything") == ['cluster="eu-1"']
    assert texts(Tenancy(), "anything") == []


@pytest.mark.parametrize(
    ("tenancy", "is_free"),
    [(Tenancy(), True), (Tenancy(always=(("a", "b"),)), False), (Tenancy(tenants=(SHOP,)), False)],
    ids=["nothing", "always", "tenants"],
)
def test_a_source_is_free_where_nothing_is_forced(tenancy: Tenancy, is_free: bool) -> None:
    assert tenancy.is_free is is_free


def test_the_first_tenant_that_names_the_service_counts() -> None:
    tenancy = Tenancy(always=(("cluster", "eu-1"),), tenants=(SHOP, REST))
    assert texts(tenancy, "checkout") == ['cluster="eu-1"', 'team="shop"']
    assert texts(tenancy, "shop-cart") == ['cluster="eu-1"', 'team="shop"']
    assert texts(tenancy, "search") == ['cluster="eu-1"', 'team="acme"', 'namespace=~"search-.*"']


@pytest.mark.parametrize("service", ["checkout2", "my-checkout", "shop", "webshop-cart", "xcheckout"])
def test_a_service_that_no_tenant_names_has_no_matchers_and_gets_no_query(service: str) -> None:
    assert texts(Tenancy(tenants=(SHOP,)), service) is None


def test_a_value_with_a_star_is_a_pattern_of_which_the_rest_stands_for_itself() -> None:
    tenancy = Tenancy(always=(("namespace", "{service}.eu-*"), ("path", "*(a|b)+*")))
    first, second = tenancy.forced_on("shop", "acme/deploy") or ()
    assert first.text == r'namespace=~"shop\\.eu-.*"'
    assert (first.allows("shop.eu-1"), first.allows("shopxeu-1"), first.allows("shop.eu")) == (True, False, False)
    assert (second.allows("x(a|b)+y\nz"), second.allows("aab")) == (True, False)


def test_a_plain_value_allows_itself_only() -> None:
    forced = Forced(name="team", value="a.b")
    assert (forced.allows("a.b"), forced.allows("axb"), forced.allows("")) == (True, False, False)


def test_other_places_than_those_that_there_are_are_unknown() -> None:
    assert unknown_places("{service}-{owner}-x") == []
    assert unknown_places("{team}{}{service}") == ["team", ""]


@given(value=st.text(min_size=1), service=st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True))
def test_a_forced_value_is_always_met_by_what_it_was_made_of(value: str, service: str) -> None:
    plain = value.replace("{", "").replace("}", "")
    tenancy = Tenancy(always=(("x", plain + "{service}"),))
    (forced,) = tenancy.forced_on(service, "acme/deploy") or ()
    assert forced.allows(plain.replace("*", "anything") + service)
    assert not forced.allows("")
