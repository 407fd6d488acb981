from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from bot.settings import Settings, SettingsError, load_settings, read_secret_file

BASE = """\
[bot]
policies = "policies"
state = "state"

[argocd]
url = "https://argocd.example"

[prometheus]
url = "https://prometheus.example"
"""
FROM_GIT = BASE.replace('policies = "policies"\n', "") + '[policies]\nrepository = "acme/policies"\n'
SECRET = "hush-hush"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("LIFTLOCK_")]:
        monkeypatch.delenv(name)


def load(directory: Path, text: str = BASE) -> Settings:
    file = directory / "liftlock.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file)


def refusal(directory: Path, text: str = BASE) -> str:
    with pytest.raises(SettingsError) as caught:
        load(directory, text)
    return str(caught.value).removeprefix(f"{directory / 'liftlock.toml'}: ")


def with_bot(line: str) -> str:
    return BASE.replace("[bot]\n", f"[bot]\n{line}\n")


def test_defaults_stand_in_for_what_is_left_out(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.bot.interval == timedelta(seconds=30)
    assert settings.bot.workers == 8
    assert (settings.github.url, settings.github.api) == ("https://github.com", "https://api.github.com")
    assert settings.prometheus.timeout == timedelta(seconds=20)
    assert settings.log.format == "console"
    assert settings.registries == {}


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, BASE + 'token_file = "secrets/p"\n[registries."r.example"]\ntoken_file = "/etc/r"\n')
    assert settings.bot.policies == tmp_path / "policies"
    assert settings.prometheus.token_file == tmp_path / "secrets" / "p"
    assert settings.registries["r.example"].token_file == Path("/etc/r")
    settings = load(tmp_path, BASE + '[registries."r.example"]\ndocker_config = "docker/config.json"\n')
    assert settings.registries["r.example"].docker_config == tmp_path / "docker" / "config.json"


def test_policies_may_be_in_a_repository_instead_of_a_directory(tmp_path: Path) -> None:
    settings = load(tmp_path, FROM_GIT)
    assert settings.policies is not None
    assert (settings.policies.repository, settings.policies.branch, settings.policies.path) == (
        "acme/policies", "main", "policies",
    )  # fmt: skip
    assert settings.policies_place == "acme/policies, policies on main"
    with pytest.raises(SettingsError, match="from the folder policies of acme/policies"):
        _ = settings.policy_directory
    with pytest.raises(SettingsError, match="from the root of acme/policies"):
        _ = load(tmp_path, f'{FROM_GIT}path = "."\n').policy_directory
    local = load(tmp_path)
    assert (local.policy_directory, local.policies_place) == (tmp_path / "policies", str(tmp_path / "policies"))


def test_the_ledger_is_a_file_in_the_state_directory_unless_a_url_is_given(tmp_path: Path) -> None:
    assert load(tmp_path).ledger_url == f"sqlite:///{tmp_path}/state/ledger.db"
    assert load(tmp_path, BASE + '[ledger]\nurl = "sqlite:///x"\n').ledger_url == "sqlite:///x"


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFTLOCK_BOT__WORKERS", "3")
    monkeypatch.setenv("LIFTLOCK_BOT__INTERVAL", "1m")
    settings = load(tmp_path, with_bot('workers = 5\ncomment_every = "2m"'))
    assert (settings.bot.workers, settings.bot.interval) == (3, timedelta(minutes=1))
    assert settings.bot.comment_every == timedelta(minutes=2)


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.bot.workers = 2  # type: ignore[misc]  # the point of the test


# --- secrets ---


@pytest.mark.parametrize("section", ["github", "argocd", "prometheus", 'registries."r.example"'])
def test_a_token_in_the_file_is_refused_and_not_repeated(tmp_path: Path, section: str) -> None:
    text = BASE if f"[{section}]" in BASE else f"{BASE}[{section}]\n"
    sentence = refusal(tmp_path, text.replace(f"[{section}]\n", f'[{section}]\ntoken = "{SECRET}"\n'))
    assert "secrets do not belong into the settings file" in sentence
    assert "token_file" in sentence
    assert SECRET not in sentence


def test_a_token_of_a_registry_is_not_sent_to_a_variable_that_no_shell_can_set(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, f'{BASE}[registries."r.example"]\ntoken = "{SECRET}"\n')
    assert sentence == (
        "registries.r.example.token: secrets do not belong into the settings file; name a file with token_file"
    )


@pytest.mark.parametrize("url", ["postgresql://me:{}@db/x", "postgresql://db/x?user=me&password={}", "x://[{}"])
def test_a_password_of_the_ledger_in_the_file_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    sentence = refusal(tmp_path, f'{BASE}[ledger]\nurl = "{url.format(SECRET)}"\n')
    assert sentence == "ledger.url: secrets do not belong into the settings file; set LIFTLOCK_LEDGER__URL"


def test_the_ledger_may_have_a_password_by_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFTLOCK_LEDGER__URL", f"postgresql://me:{SECRET}@db/x")
    settings = load(tmp_path)
    assert settings.ledger_url == f"postgresql://me:{SECRET}@db/x"
    assert SECRET not in repr(settings)


def test_an_empty_secret_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(" \n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"the secret file .*token is empty"):
        read_secret_file(tmp_path / "token")


def test_a_token_from_the_environment_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for section in ("GITHUB", "ARGOCD", "PROMETHEUS"):
        monkeypatch.setenv(f"LIFTLOCK_{section}__TOKEN", SECRET)
    settings = load(tmp_path)
    for server in (settings.github, settings.argocd, settings.prometheus):
        assert server.read_token() == SECRET
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)


def test_a_token_file_is_read_anew_at_each_use(tmp_path: Path) -> None:
    settings = load(tmp_path, BASE + 'token_file = "token"\n[registries."r.example"]\ntoken_file = "token"\n')
    for token in ("old", "new"):
        (tmp_path / "token").write_text(f" {token}\n", encoding="utf-8")
        assert settings.prometheus.read_token() == token
        assert settings.registries["r.example"].read_token() == token


def test_without_a_token_there_is_none(tmp_path: Path) -> None:
    assert load(tmp_path).argocd.read_token() is None


def test_an_unreadable_secret_names_only_its_path(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file or directory"):
        read_secret_file(tmp_path / "nowhere")
    (tmp_path / "bytes").write_bytes(SECRET.encode() + b"\xff")
    with pytest.raises(SettingsError, match="cannot be read: it is no text") as caught:
        read_secret_file(tmp_path / "bytes")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["LIFTLOCK_GITHUB", "LIFTLOCK_REGISTRIES", "LIFTLOCK_LEDGER"])
def test_a_variable_that_is_no_json_is_refused_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, SECRET)
    sentence = refusal(tmp_path)
    assert "the LIFTLOCK_* environment" in sentence
    assert name.removeprefix("LIFTLOCK_").lower() in sentence
    assert SECRET not in sentence


@pytest.mark.parametrize(
    "text", [f'github = "{SECRET}"\n{BASE}', f'{BASE}[ledger]\nurl = ["{SECRET}"]\n', f'ledger = "{SECRET}"\n{BASE}']
)
def test_what_may_be_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path, text: str) -> None:
    assert SECRET not in refusal(tmp_path, text)


def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path: Path) -> None:
    sentence = refusal(tmp_path, BASE.replace("https://argocd", f"https://me:{SECRET}@argocd"))
    assert sentence == "argocd: expected a URL without user and password in it"


# --- what is wrong ---


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            with_bot('interval = "30"'),
            'bot.interval: found "30", expected a duration such as 500ms, 30s, 30m, 1h30m, 6h or 2d',
        ),
        (with_bot('interval = "0s"'), 'bot.interval: found "0s", expected a duration longer than nothing'),
        (with_bot('comment_every = "400d"'), 'bot.comment_every: found "400d", expected a duration of at most 366d'),
        (with_bot("workerz = 2"), "bot.workerz: is no setting"),
        (BASE + "[argo]\nurl = 1\n", "argo: is no setting"),
        (BASE.replace('state = "state"\n', ""), "bot.state: is missing"),
        (
            BASE.replace('policies = "policies"\n', ""),
            "settings: expected bot.policies, a directory, or the section policies, a repository; found neither",
        ),
        (
            BASE + '[policies]\nrepository = "acme/policies"\n',
            "settings: expected bot.policies, a directory, or the section policies, a repository; found both",
        ),
        (
            FROM_GIT.replace("acme/policies", "policies"),
            'policies.repository: found "policies", expected a repository as owner/name, such as acme/policies',
        ),
        (
            FROM_GIT + 'branch = "-x"\n',
            'policies.branch: found "-x", expected the name of a branch, such as main',
        ),
        (
            FROM_GIT + 'path = "../policies"\n',
            'policies.path: found "../policies", expected a folder of the repository, or . for its root',
        ),
        (FROM_GIT + 'folder = "x"\n', "policies.folder: is no setting"),
        (BASE.replace("https://argocd.example", "ftp://a"), "argocd: expected a URL that begins with https://"),
        (BASE.replace("https://argocd.example", "https://"), "argocd: expected a URL that begins with https://"),
        (BASE.replace("https://argocd.example", "https://[::1"), "argocd: expected a URL that begins with https://"),
        (BASE.replace("https://argocd.example", "https://a:99999"), "argocd: expected a URL that begins with https://"),
        (
            BASE.replace("https://argocd", "http://argocd"),
            "argocd: expected https:// (plain http only with allow_http = true)",
        ),
        (
            BASE + '[github]\napi = "http://10.0.0.1"\n',
            "github: expected https:// (plain http only with allow_http = true)",
        ),
        (BASE + "[github]\napp_id = 1\n", "github: expected app_id and private_key_file together, or neither"),
        (
            BASE + '[registries."r.example"]\nurl = "http://r.example"\n',
            "registries.r.example: expected https:// (plain http only with allow_http = true)",
        ),
        (
            BASE + '[registries."r.example"]\ntoken_service = "http://tokens.example"\n',
            "registries.r.example: expected https:// (plain http only with allow_http = true)",
        ),
        (
            BASE + '[registries."r.example"]\ntoken_file = "t"\ndocker_config = "c"\n',
            "registries.r.example: expected docker_config, or a token, not both",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected(tmp_path: Path, text: str, sentence: str) -> None:
    assert refusal(tmp_path, text) == sentence


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (with_bot('workers = "many"'), 'bot.workers: found "many"'),
        (with_bot("workers = 65"), 'bot.workers: found "65"'),
    ],
)
def test_a_value_of_the_wrong_kind_is_shown(tmp_path: Path, text: str, found: str) -> None:
    assert refusal(tmp_path, text).startswith(found)


def test_all_wrong_settings_come_at_once(tmp_path: Path) -> None:
    assert len(refusal(tmp_path, with_bot('interval = "x"\nworkerz = 1')).splitlines()) == 2


@pytest.mark.parametrize("url", ["http://localhost:9090", "http://127.0.0.1:9090", "http://[::1]:9090", "https://p"])
def test_plain_http_is_for_this_machine(tmp_path: Path, url: str) -> None:
    assert load(tmp_path, BASE.replace("https://prometheus.example", url)).prometheus.url == url


def test_plain_http_elsewhere_has_to_be_said(tmp_path: Path) -> None:
    text = BASE.replace('"https://prometheus.example"', '"http://prometheus.example"\nallow_http = true')
    assert load(tmp_path, text).prometheus.allow_http


def test_every_fault_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "liftlock.toml"
    file.write_text(with_bot('interval = "x"\nworkers = 0'), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{file}: bot.") for line in lines)


def test_an_unknown_variable_of_a_section_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFTLOCK_BOT__WORKERZ", "3")
    assert refusal(tmp_path) == "bot.workerz: is no setting"


def test_a_missing_file_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such settings file; name one with --config"):
        load_settings(tmp_path / "nowhere.toml")


def test_a_directory_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_settings(tmp_path)


def test_bytes_and_broken_toml_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a = = 1").startswith("is no valid TOML")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="is no UTF-8 text"):
        load_settings(tmp_path / "bytes.toml")


def test_prometheus_may_be_another_server_and_know_us_in_other_ways(tmp_path: Path) -> None:
    more = (
        'dialect = "mimir"\ntenant = "team-a"\nuser = "bot"\npassword_file = "p"\nat_once = 8\n'
        'cert_file = "c.pem"\nkey_file = "k.pem"\nheader_files = {X-Key = "secrets/key"}\n'
    )
    section = load(tmp_path, BASE + more).prometheus
    assert (section.dialect, section.tenant, section.user, section.at_once) == ("mimir", "team-a", "bot", 8)
    assert (section.password_file, section.cert_file, section.key_file) == (
        tmp_path / "p",
        tmp_path / "c.pem",
        tmp_path / "k.pem",
    )
    assert section.header_files == {"X-Key": tmp_path / "secrets" / "key"}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('dialect = "influx"\n', "prometheus.dialect"),
        ('user = "bot"\n', "user and password_file together, or neither"),
        ('user = "bot"\npassword_file = "p"\ntoken_file = "t"\n', "a user with a password, or a token, not both"),
        ('key_file = "k"\n', "key_file only with cert_file"),
        ('tenant = "a b"\n', "prometheus.tenant"),
        ('header_files = {"a b" = "k"}\n', "prometheus.header_files"),
        ("at_once = 0\n", "prometheus.at_once"),
    ],
)
def test_a_way_to_be_known_that_is_none_is_refused(tmp_path: Path, more: str, says: str) -> None:
    assert says in refusal(tmp_path, BASE + more)


def test_signing_needs_both_its_settings(tmp_path: Path) -> None:
    git = load(tmp_path, BASE + '[git]\nsigning_format = "openpgp"\nsigning_key = "A1"\ngnupg_home = "g"\n').git
    assert (git.signing_format, git.signing_key, git.gnupg_home) == ("openpgp", "A1", tmp_path / "g")
    for text in ('signing_key = "A1"', 'signing_format = "ssh"', 'signing_format = "pgp"\nsigning_key = "A1"'):
        assert "git" in refusal(tmp_path, f"{BASE}[git]\n{text}\n")
    ssh = '[git]\nsigning_format = "ssh"\nsigning_key = "/k"\ngnupg_home = "g"\n'
    assert "gnupg_home only with signing_format openpgp" in refusal(tmp_path, BASE + ssh)
    assert "git.signing_key" in refusal(tmp_path, BASE + '[git]\nsigning_format = "ssh"\nsigning_key = "-x"\n')


# --- Argo CD servers ---

EUROPE = '[argocd_servers.eu]\nurl = "https://argocd.eu.example"\n'


def test_argo_cd_servers_have_names_and_settings_of_their_own(tmp_path: Path) -> None:
    more = 'insecure = true\nprojects = ["shop", "web.2"]\nwatch = true\nrelist = "10m"\nsilence = "30s"\n'
    settings = load(tmp_path, BASE + EUROPE + more)
    europe = settings.argocd_servers["eu"]
    assert (europe.url, europe.insecure, europe.projects) == ("https://argocd.eu.example", True, ("shop", "web.2"))
    assert (europe.watch, europe.relist, europe.silence) == (True, timedelta(minutes=10), timedelta(seconds=30))
    home = settings.argocd
    assert (home.insecure, home.projects, home.watch) == (False, (), False)
    assert (home.relist, home.silence) == (timedelta(minutes=5), timedelta(minutes=1))


def test_an_argo_cd_may_live_behind_a_path(tmp_path: Path) -> None:
    settings = load(tmp_path, BASE.replace("https://argocd.example", "https://host.example/argocd"))
    assert settings.argocd.url == "https://host.example/argocd"


@pytest.mark.parametrize(
    ("server", "path"),
    [("argocd", "secrets/a"), ("argocd_servers.eu", "secrets/a")],
    ids=["the default server", "a named server"],
)
def test_files_of_an_argo_cd_server_are_relative_to_the_settings(tmp_path: Path, server: str, path: str) -> None:
    text = BASE + EUROPE
    text = text.replace(f"[{server}]\n", f'[{server}]\ntoken_file = "{path}"\nca_file = "../ca.pem"\n')
    settings = load(tmp_path, text)
    section = settings.argocd if server == "argocd" else settings.argocd_servers["eu"]
    assert section.token_file == tmp_path / path
    assert section.ca_file == tmp_path / "../ca.pem"
    (tmp_path / "secrets").mkdir()
    (tmp_path / path).write_text("first\n")
    assert section.read_token() == "first"
    (tmp_path / path).write_text("second\n")
    assert section.read_token() == "second"


def test_a_token_of_a_named_argo_cd_server_may_come_by_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFTLOCK_ARGOCD_SERVERS__EU__TOKEN", SECRET)
    europe = load(tmp_path, BASE + EUROPE).argocd_servers["eu"]
    assert (europe.url, europe.read_token()) == ("https://argocd.eu.example", SECRET)
    assert SECRET not in repr(europe)


def test_a_token_of_a_named_argo_cd_server_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    said = refusal(tmp_path, f'{BASE}{EUROPE}token = "{SECRET}"\n')
    assert said.startswith("argocd_servers.eu.token: secrets do not belong into the settings file; ")
    assert SECRET not in said


@pytest.mark.parametrize(
    "text",
    [
        f'[argocd_servers]\neu = "{SECRET}"\n',
        f'[argocd_servers]\neu = ["{SECRET}"]\n',
        f'[registries]\n"r.example" = "{SECRET}"\n',
        f'[[argocd_servers]]\neu = "{SECRET}"\n',
        f'[argocd_servers.eu]\nurl = "https://bot:{SECRET}@argocd.eu.example"\n',
    ],
    ids=["a text for a server", "a list for a server", "a text for a registry", "a list of servers", "in a URL"],
)
def test_what_stands_in_the_place_of_a_server_is_not_repeated(tmp_path: Path, text: str) -> None:
    assert SECRET not in refusal(tmp_path, BASE + text)


def test_the_name_argocd_is_the_section_s_own(tmp_path: Path) -> None:
    said = refusal(tmp_path, BASE + EUROPE.replace(".eu]", ".argocd]"))
    assert said == (
        "settings: expected another name than argocd for a server of argocd_servers: that one is the section argocd"
    )


@pytest.mark.parametrize("name", ["EU", "eu_1", "-eu", "eu-", "eu.west", "a" * 64, "", "eu:west", "е"])
def test_a_server_s_name_is_one_that_a_policy_can_say(tmp_path: Path, name: str) -> None:
    said = refusal(tmp_path, BASE + EUROPE.replace("[argocd_servers.eu]", f'[argocd_servers."{name}"]'))
    assert said.startswith(f"argocd_servers.{name}")
    assert "\n" not in said


@pytest.mark.parametrize("name", ["e", "1", "eu-west-1", "a" * 63])
def test_such_names_are_taken(tmp_path: Path, name: str) -> None:
    settings = load(tmp_path, BASE + EUROPE.replace(".eu]", f'."{name}"]'))
    assert set(settings.argocd_servers) == {name}


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('relist = "0s"', "relist"),
        ('relist = "-5m"', "relist"),
        ('silence = "soon"', "silence"),
        ('watch = "perhaps"', "watch"),
        ('insecure = "of course"', "insecure"),
        ('projects = "shop"', "projects"),
        ('projects = ["Shop"]', "projects.0"),
        ('projects = ["*"]', "projects.0"),
        ('projects = ["shop\\n"]', "projects.0"),
        ('projects = ["shop", ""]', "projects.1"),
        ('namespace = "argocd"', "namespace"),
        ('url = "http://argocd.eu.example"', ""),
        ('url = "argocd.eu.example"', ""),
    ],
)
@pytest.mark.parametrize("server", ["argocd", "argocd_servers.eu"])
def test_a_wrong_setting_of_an_argo_cd_server_is_named(tmp_path: Path, server: str, line: str, key: str) -> None:
    lines = (BASE + EUROPE).splitlines()
    place = lines.index(f"[{server}]")
    lines[place + 1 : place + 2] = [line] if line.startswith("url") else [lines[place + 1], line]
    said = refusal(tmp_path, "\n".join(lines))
    assert said.startswith(f"{server}.{key}:" if key else f"{server}:")
    assert "\n" not in said
