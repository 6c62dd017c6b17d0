"""Settings: checked at start, named in errors, documented."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from config import (
    RUNTIME_SETTINGS,
    SECRET_SETTINGS,
    ConfigError,
    Settings,
    load_settings,
    with_kept_overrides,
    with_overrides,
)
from domain import Unacceptable

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for key in Settings.model_fields:
        monkeypatch.delenv(key.upper(), raising=False)
    monkeypatch.chdir(tmp_path)  # no .env here


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("API_PORT", "70000", "65535"),
        ("API_PORT", "five", "integer"),
        ("ENCODER", "resnet", "'auto', 'clip', 'builtin' or 'clip+builtin'"),
        ("CLASSIFIER_TYPE", "tree", "random_forest"),
        ("TRAINING_FREQUENCY", "hourly", "'daily' or 'weekly'"),
        ("TRAINING_TIME", "24:00", "HH:MM"),
        ("TRAINING_TIME", "3:00", "HH:MM"),
        ("MIN_IMAGES_PER_CLASS", "1", "5"),
        ("MAX_FALSE_ACCUSATION", "0.5", "less than 0.5"),
        ("CORS_ORIGINS", "*", "origins"),
        ("CORS_ORIGINS", "https://news.example/path", "origins"),
        ("FETCH_ALLOWED_NETWORKS", "10.0.0.1/8", "networks"),
        ("FETCH_PORTS", "0", "greater than or equal to 1"),
        ("DATABASE_URL", "mysql://x", "postgresql"),
        ("CLIP_DEVICE", "tpu", "match pattern"),
        ("FEEDBACK_KEYS", "alice", "NAME=KEY"),
        ("FEEDBACK_KEYS", "alice=", "NAME=KEY"),
        ("FEEDBACK_KEYS", "=hunter2", "NAME=KEY"),
        ("FEEDBACK_KEYS", "al ice=hunter2", "letters"),
        ("FEEDBACK_KEYS", "ಅ=hunter2", "letters"),
        ("FEEDBACK_KEYS", f"{'a' * 65}=hunter2", "1 to 64"),
        ("FEEDBACK_KEYS", "Admin=hunter2", "admin, api, local"),
        ("FEEDBACK_KEYS", "alice=one,Alice=two", "each name once"),
        ("FEEDBACK_KEYS", "alice=same,bob=same", "of its own"),
        ("LOG_LEVEL", "LOUD", "'DEBUG'"),
        ("COLLECT", "not json", "JSON"),
        ("COLLECT", "[" * 100_000, "JSON"),
        ("COLLECT", "{}", "tuple"),
        ("SOURCE_ADDRESSES", "not json", "JSON"),
        ("SOURCE_ADDRESSES", "[]", "dictionary"),
    ],
)
def test_bad_value_is_refused_by_key_and_allowed(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(key, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert caught.value.message.startswith(f"{key}=")
    assert allowed in caught.value.message


def test_every_bad_key_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "x")
    monkeypatch.setenv("TRAINING_TIME", "noon")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert [line.split("=")[0] for line in caught.value.message.splitlines()] == [
        "API_PORT",
        "TRAINING_TIME",
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DATABASE_URL", "mysql://user:hunter2@host/db"),
        ("FEEDBACK_KEYS", "hunter2"),
        ("FEEDBACK_KEYS", "alice=1,hunter2"),
        ("FEEDBACK_KEYS", "al ice=hunter2"),
        ("FEEDBACK_KEYS", "alice=hunter2,bob=hunter2"),
        ("COLLECT", '[{"source": "hunter2'),
        ("COLLECT", '"hunter2"'),
        ("COLLECT", '[{"source": "page", "url": "https://site.example/?token=hunter2"}]'),
        ("COLLECT", '[{"source": "page", "url": "https://me:hunter2@site.example/"}]'),
        ("COLLECT", '[{"source": "page", "url": "site.example/?token=hunter2"}]'),
        ("COLLECT", '[{"source": "https://site.example/?token=hunter2"}]'),
        ("COLLECT", '[{"source": "lexica", "address": "https://site.example/?token=hunter2"}]'),
        ("SOURCE_ADDRESSES", '{"lexica": "https://me:hunter2@mirror.example'),
        ("SOURCE_ADDRESSES", '{"lexica": ["https://me:hunter2@mirror.example"]}'),
        ("SOURCE_ADDRESSES", '{"source": ["hunter2"]}'),
        ("SOURCE_ADDRESSES", '"https://me:hunter2@mirror.example"'),
    ],
)
def test_error_hides_secrets(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    monkeypatch.setenv(key, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert "hunter2" not in caught.value.message
    assert caught.value.message.startswith(key)
    assert caught.value.__cause__ is None


def test_what_is_not_json_is_refused_in_the_file_as_well(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("COLLECT=[{\nSOURCE_ADDRESSES={'lexica': 1}\n")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert [line.split("=")[0] for line in caught.value.message.splitlines()] == [
        "COLLECT",
        "SOURCE_ADDRESSES",
    ]


def test_file_that_cannot_be_read_is_said_to_be_that(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"ADMIN_KEY=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"^\.env cannot be read"):
        load_settings()


def test_no_setting_raises_anything_else_whatever_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for key in Settings.model_fields:
        for value in ("[", "{", "null", "\N{REPLACEMENT CHARACTER}", "9" * 5000):
            monkeypatch.setenv(key.upper(), value)
            try:
                load_settings()
            except ConfigError as error:
                assert key.upper() in error.message
            monkeypatch.delenv(key.upper())


PAGE = {"source": "page", "url": "https://site.example/a", "label": "real", "license": "CC0"}


@pytest.mark.parametrize(
    "entry",
    [
        {"source": "commons-ai", "count": 50},
        {"source": "openverse", "query": "street", "task": "smile", "label": "ನಗು"},
        PAGE,
        {**PAGE, "url": " HTTPS://site.example:8443/a?token=x#top "},
        {**PAGE, "url": "http://[2001:db8::1]/"},
        {**PAGE, "url": "https://bücher.example/größe"},
    ],
)
def test_source_to_collect_from_is_taken(entry: dict[str, object]) -> None:
    assert load_settings(collect=[entry]).collect[0].source == entry["source"]


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"source": "flickr"}, "source"),
        ({"source": "lexica", "count": 0}, "count"),
        ({"source": "lexica", "query": "a\x00b"}, "query"),
        ({"source": "lexica", "query": "a\nb"}, "query"),
        ({"source": "lexica", "query": "a\u202eb"}, "query"),
        ({"source": "lexica", "query": "a" * 201}, "query"),
        ({"source": "lexica", "label": "a\tb"}, "label"),
        ({"source": "lexica", "label": "a" * 65}, "label"),
        ({"source": "lexica", "task": "No Such"}, "task"),
        ({"source": "lexica", "task": ""}, "task"),
        ({"source": "lexica", "nonsense": 1}, "nonsense"),
        ({**PAGE, "license": "CC\x1b0"}, "license"),
        ({**PAGE, "license": "C" * 201}, "license"),
        ({**PAGE, "url": "site.example/a"}, "url"),
        ({**PAGE, "url": "ftp://site.example/a"}, "url"),
        ({**PAGE, "url": "file:///etc/passwd"}, "url"),
        ({**PAGE, "url": "javascript:alert(1)"}, "url"),
        ({**PAGE, "url": "https://"}, "url"),
        ({**PAGE, "url": "https:///a"}, "url"),
        ({**PAGE, "url": "https://[::1/a"}, "url"),
        ({**PAGE, "url": "https://site.example:99999/"}, "url"),
        ({**PAGE, "url": "https://me:key@site.example/"}, "url"),
        ({**PAGE, "url": "https://me@site.example/"}, "url"),
        ({**PAGE, "url": "https://site.example/a\r\nX: y"}, "url"),
        ({**PAGE, "url": "https://site.example/a b"}, "url"),
        ({**PAGE, "url": "https://site.example/" + "a" * 2000}, "url"),
    ],
)
def test_source_to_collect_from_is_checked_field_by_field(
    entry: dict[str, object], field: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^COLLECT\[0\]\.{field}="):
        load_settings(collect=[entry])
    with pytest.raises(Unacceptable) as caught:
        with_overrides(load_settings(), {"collect": [entry]})
    assert caught.value.detail["field"] == f"collect.0.{field}"


@pytest.mark.parametrize(
    "entry",
    [
        {"source": "page"},
        {**PAGE, "license": ""},
        {**PAGE, "label": "  "},
        {**PAGE, "query": "cats"},
        {"source": "lexica", "url": "https://site.example/?token=hunter2"},
        {"source": "lexica", "license": "CC0"},
    ],
)
def test_page_is_described_whole_and_nothing_else_is(entry: dict[str, object]) -> None:
    with pytest.raises(Unacceptable) as caught:
        with_overrides(load_settings(), {"collect": [{"source": "lexica"}, entry]})
    assert caught.value.detail["field"] == "collect.1"
    assert "hunter2" not in str(caught.value.detail)


def test_nobody_collects_from_more_than_fifty() -> None:
    assert len(load_settings(collect=[{"source": "lexica"}] * 50).collect) == 50
    with pytest.raises(ConfigError, match="at most 50"):
        load_settings(collect=[{"source": "lexica"}] * 51)


@pytest.mark.parametrize("other", ["API_KEY", "ADMIN_KEY"])
def test_key_of_a_person_opens_nothing_else(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    monkeypatch.setenv("FEEDBACK_KEYS", "alice=hunter2")
    monkeypatch.setenv(other, "hunter2")
    with pytest.raises(ConfigError, match="FEEDBACK_KEYS") as caught:
        load_settings()
    assert "hunter2" not in caught.value.message


def test_keys_of_persons_are_read_and_survive_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_KEYS", "alice=a=b, bob.2=c ,")
    settings = load_settings()
    assert settings.feedback_keys == (("alice", "a=b"), ("bob.2", "c"))
    assert with_overrides(settings, {}).feedback_keys == settings.feedback_keys


def test_public_address_without_admin_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_HOST", "0.0.0.0")  # noqa: S104
    with pytest.raises(ConfigError, match="ADMIN_KEY must be set"):
        load_settings()
    monkeypatch.setenv("ADMIN_KEY", "k")
    assert not load_settings().loopback


def test_a_proxy_before_it_without_admin_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="ADMIN_KEY must be set"):
        load_settings(allowed_hosts="news.example")
    assert load_settings(allowed_hosts="news.example", admin_key="k").allowed_hosts


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    assert load_settings(api_host=host).loopback


def test_dotenv_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_PORT=5050\nCORS_ORIGINS=https://a.example, http://b\n")
    settings = load_settings()
    assert settings.api_port == 5050
    assert settings.cors_origins == ("https://a.example", "http://b")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().api_port = 1


def test_override_is_checked_and_applied() -> None:
    changed = with_overrides(load_settings(api_port=5051), {"training_time": "04:30"})
    assert (changed.training_time, changed.api_port) == ("04:30", 5051)


@pytest.mark.parametrize(
    "half_edited",
    [
        b"COLLECT=[{",
        b'SOURCE_ADDRESSES={"pexels": "https://elsewhere.example"}',
        b"ADMIN_KEY=hunter3\xff",
    ],
)
def test_override_reads_no_source_again(tmp_path: Path, half_edited: bytes) -> None:
    env = tmp_path / ".env"
    env.write_text('ADMIN_KEY=hunter2\nSOURCE_ADDRESSES={"lexica": "https://hunter2.example"}\n')
    running = load_settings()
    env.write_bytes(half_edited)
    assert with_overrides(running, {}) == running
    changed = with_overrides(running, {"training_time": "04:30"})
    assert changed == running.model_copy(update={"training_time": "04:30"})
    with pytest.raises(Unacceptable) as caught:
        with_overrides(running, {"training_time": "25:00"})
    assert "hunter" not in str(caught.value.detail)


def test_error_about_all_settings_says_none_of_them() -> None:
    """Keys that stand in each other's way are named, not said."""
    clashing = {"feedback_keys": "alice=hunter2", "api_key": "hunter2", "pexels_key": "hunter3"}
    with pytest.raises(ConfigError) as caught:
        load_settings(**clashing)
    assert "hunter" not in caught.value.message
    torn = load_settings(pexels_key="hunter3").model_copy(update={"api_host": "0.0.0.0"})  # noqa: S104
    assert with_overrides(torn, {"training_time": "04:30"}).training_time == "04:30"


@pytest.mark.parametrize("key", sorted(SECRET_SETTINGS))
def test_secret_that_cannot_be_changed_so_is_not_said_back(key: str) -> None:
    with pytest.raises(Unacceptable) as caught:
        with_overrides(load_settings(), {key: "hunter2"})
    assert "hunter2" not in caught.value.message + str(caught.value.detail)
    assert caught.value.detail["field"] == key


def test_change_of_long_ago_that_will_not_do_any_more_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = {
        "training_time": "04:30",
        "collect": [{"source": "page", "url": "https://me:hunter2@site.example/"}],
        "gone_since": "hunter2",
    }
    settings = with_kept_overrides(load_settings(training_time="01:00"), kept)
    assert (settings.training_time, settings.collect) == ("04:30", ())
    assert "COLLECT" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("key", "value"), [("training_time", "25:00"), ("api_port", 1), ("nonsense", 1)]
)
def test_bad_override_names_field_value_and_allowed(key: str, value: object) -> None:
    with pytest.raises(Unacceptable) as caught:
        with_overrides(load_settings(), {key: value})
    assert caught.value.detail["field"] == key
    assert caught.value.detail["got"] == value
    assert caught.value.detail["allowed"]


def test_every_setting_is_documented_with_its_default() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for key, field in Settings.model_fields.items():
        row = re.search(rf"^\| `{key.upper()}` \| (.*) \| (.*) \|$", text, re.MULTILINE)
        assert row, f"docs/settings.md lacks {key.upper()}"
        assert row[2].startswith(str(field.description)), key
        assert ("at run time" in row[2]) == (key in RUNTIME_SETTINGS), key


@pytest.mark.parametrize("module", ["config", "app", "classify", "train"])
def test_import_is_light(module: str) -> None:
    script = (
        f"import sys, {module}\n"
        "heavy = {'torch', 'open_clip', 'sklearn', 'skimage', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
