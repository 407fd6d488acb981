"""docs/settings.md names every setting with its default, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bot.domain.text import format_duration
from bot.settings import sections
from bot.settings.tenants import TenantSection

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "settings.md").read_text(encoding="utf-8")
SECTIONS: Mapping[str, type[BaseModel]] = {
    "bot": sections.BotSettings,
    "policies": sections.PoliciesSection,
    "github": sections.GitHubSection,
    "git": sections.GitSection,
    "argocd": sections.ArgoSection,
    "prometheus": sections.PrometheusSection,
    "prometheus.tenants[]": TenantSection,
    "registries.HOST": sections.RegistrySection,
    "sigstore": sections.SigstoreSection,
    "summaries": sections.SummariesSection,
    "ledger": sections.LedgerSection,
    "log": sections.LogSection,
    "web": sections.WebSection,
}


def told(field: FieldInfo) -> str:
    """Return a default as the page tells it."""
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    match default:
        case _ if field.is_required():
            return "required"
        case timedelta():
            return f"`{format_duration(default)}`"
        case bool():
            return f"`{str(default).lower()}`"
        case None | () | {}:
            return "none"
        case tuple():
            return ", ".join(f"`{item}`" for item in default)
        case _:
            return f"`{default}`" if default else "none"


def fields() -> Iterator[tuple[str, str]]:
    for name, section in SECTIONS.items():
        for key, field in section.model_fields.items():
            yield f"{name}.{key}", told(field)


def rows() -> dict[str, str]:
    found = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
    return dict(found)


def test_every_section_of_the_settings_is_looked_at() -> None:
    models = {
        model
        for model in vars(sections).values()
        if isinstance(model, type) and issubclass(model, sections._Section) and not model.__name__.startswith("_")
    }
    assert models == {model for model in SECTIONS.values() if model is not TenantSection}


def test_every_setting_and_no_other_is_documented_with_its_default() -> None:
    assert rows() == dict(fields())
