"""The bot as a GitHub App of the lab: a key of its own, and the settings that name it."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.lab.github import GitHubLab

APP_ID = 1_001
SLUG = "liftlock"
_KEY_BITS = 2048
_WRITES = ("checks", "contents", "deployments", "issues", "pull_requests", "statuses")


def app_lines(github: GitHubLab, secrets: Path) -> str:
    """Return the lines of `[github]` that name the lab's app; make the app with a new key if there is none yet."""
    key_file = secrets / "github-app.pem"
    if APP_ID not in github.world.apps:
        permissions = {"metadata": "read", **dict.fromkeys(_WRITES, "write")}
        github.add_app(APP_ID, _make_key(key_file), slug=SLUG, permissions=permissions)
    return f'app_id = {APP_ID}\nprivate_key_file = "{key_file}"'


def write_secret(path: Path, text: str) -> None:
    """Write a file that only this user may read."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _make_key(path: Path) -> str:
    """Write a new private key; return the public one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(path, private.decode())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return public.decode()
