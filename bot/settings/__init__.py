"""The operator's settings: a TOML file, overridden by `LIFTLOCK_*` environment variables (`LIFTLOCK_GITHUB__URL`).

Secrets never stand in the file: they come by environment (`LIFTLOCK_GITHUB__TOKEN`) or by the path of a file, which is
read anew at each use, so that a rotated token takes effect. Hosts live here, never in policies.
"""

from bot.settings.loading import Settings, load_settings
from bot.settings.sections import (
    ArgoSection,
    GitHubSection,
    GitSection,
    PoliciesSection,
    PrometheusSection,
    RegistrySection,
    WebSection,
)
from bot.settings.values import SettingsError, read_secret_file

__all__ = [
    "ArgoSection",
    "GitHubSection",
    "GitSection",
    "PoliciesSection",
    "PrometheusSection",
    "RegistrySection",
    "Settings",
    "SettingsError",
    "WebSection",
    "load_settings",
    "read_secret_file",
]
