"""Settings: paths from the home folder, secrets from files, and a sentence for what cannot be meant."""

import os
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest
from command_line import run_here
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.command.terminal import run_verb
from pipelines.errors import WrongUseError
from pipelines.extract.client import NexudusClient
from pipelines.land.warehouse import open_warehouse
from pipelines.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No settings at all, a folder without a .env file, and a home of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("DATA_DIR", "~/billing", "/home/ada/billing"),
        ("ANALYTICS", "~/share/analytics.duckdb", "/home/ada/share/analytics.duckdb"),
        ("BUSINESSES_FILE", "~/names.csv", "/home/ada/names.csv"),
        ("WAREHOUSE", "~/w.duckdb", "/home/ada/w.duckdb"),
        ("WAREHOUSE", "ducklake:~/lake.ducklake", "ducklake:/home/ada/lake.ducklake"),
        ("LAKE_DATA_PATH", "~/lake", "/home/ada/lake"),
        ("LAKE_DATA_PATH", "s3://bucket/~/lake", "s3://bucket/~/lake"),
    ],
)
def test_a_path_may_begin_with_the_home_folder(monkeypatch, name, value, meant):
    monkeypatch.setenv(f"NEXUDUS_{name}", value)

    assert str(getattr(load_settings(), name.lower())) == meant


@pytest.mark.parametrize("name", ["PASSWORD", "TOTP_SECRET", "ACCESS_TOKEN", "ALERT_WEBHOOK_URL"])
def test_any_secret_may_be_in_a_file(monkeypatch, tmp_path, name):
    (tmp_path / "secret").write_text("https://canary\n", encoding="utf-8")
    monkeypatch.setenv(f"NEXUDUS_{name}_FILE", str(tmp_path / "secret"))

    assert getattr(load_settings(), name.lower()).get_secret_value() == "https://canary"


def test_a_secret_that_is_given_goes_before_its_file_and_the_file_may_be_named_in_dot_env(monkeypatch):
    Path("secret").write_text("of the file", encoding="utf-8")
    Path(".env").write_text("NEXUDUS_PASSWORD_FILE=secret\n", encoding="utf-8")
    assert load_settings().password.get_secret_value() == "of the file"

    monkeypatch.setenv("NEXUDUS_PASSWORD", "given")
    assert load_settings().password.get_secret_value() == "given"


def test_a_secret_file_that_cannot_be_read_is_named_with_its_variable(monkeypatch):
    monkeypatch.setenv("NEXUDUS_PASSWORD_FILE", "/no/such/file")

    with pytest.raises(WrongUseError, match=r"NEXUDUS_PASSWORD_FILE: /no/such/file cannot be read \(No such file"):
        load_settings()


def test_a_file_is_for_secrets_only(monkeypatch):
    Path("name").write_text("ada", encoding="utf-8")
    monkeypatch.setenv("NEXUDUS_USERNAME_FILE", "name")

    assert load_settings().username is None


NAME = "NEXUDUS_USERNAME=zoë@example.com\nNEXUDUS_PAGE_SIZE=7\n"


@pytest.mark.fault(".env has a byte order mark, or the line ends of Windows", "any verb", "exact")
@pytest.mark.parametrize("content", [NAME.encode(), NAME.encode("utf-8-sig"), NAME.replace("\n", "\r\n").encode()])
def test_an_env_file_may_have_a_byte_order_mark_and_the_line_ends_of_windows(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(content)

    settings = load_settings()

    assert (settings.username, settings.page_size) == ("zoë@example.com", 7)


@pytest.mark.fault(".env is in UTF-16 or Latin-1", "any verb", "refused with a sentence")
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_an_env_file_in_another_encoding_is_said_to_be_one(tmp_path, monkeypatch, encoding):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(NAME.encode(encoding))

    with pytest.raises(WrongUseError, match="save it again with the encoding UTF-8"):
        load_settings()


def test_an_env_file_that_anyone_can_write_is_refused():
    env = Path(".env")
    env.write_text("NEXUDUS_BASE_URL=https://collector.example\n", encoding="utf-8")
    env.chmod(0o666)
    with pytest.raises(WrongUseError, match=r"Others on this machine can write to \.env: run `chmod 600 \.env`"):
        load_settings()
    others = [one for one in (65_432, *os.getgroups()) if one != os.getegid()]
    if os.geteuid() == 0 or len(others) > 1:
        os.chown(env, -1, others[0] if os.geteuid() == 0 else others[1])
        env.chmod(0o660)
        with pytest.raises(WrongUseError, match="Others on this machine"):
            load_settings()
        os.chown(env, -1, os.getegid())

    env.chmod(0o664)  # as a umask of 002 leaves it, with a group of one's own
    assert load_settings().base_url == "https://collector.example"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PASSWORD", "half \udcff a character"),
        ("DATA_DIR", "a\nb"),
        ("DATA_DIR", "~nobody-here/x"),
        ("DATA_DIR", "what?"),
        ("WAREHOUSE", "w.duckdb?mode=ro"),
        ("PAGE_SIZE", "1" * 30),
        ("REQUESTS_PER_HOUR", "9" * 5000),
        ("SETTLE_MINUTES", "1e12"),
        ("TIMEOUT_SECONDS", "inf"),
        ("TIMEOUT_SECONDS", "nan"),
        ("CONCURRENT_REQUESTS", "1000000"),
        ("HISTORY_START", "0001-01-01"),
        ("REPORTING_TIMEZONE", "posix/Europe/London"),
        ("REPORTING_TIMEZONE", "localtime"),
        ("FILTER_TIMEZONE", "../../etc/passwd"),
    ],
)
def test_a_value_that_something_further_on_would_stumble_over_is_refused(monkeypatch, name, value):
    monkeypatch.setenv(f"NEXUDUS_{name}", value)

    with pytest.raises(WrongUseError, match=f"NEXUDUS_{name}|question mark"):
        load_settings()


@pytest.mark.parametrize("url", ["https://.", f"https://{'a' * 300}", "http://[::1", "https://host:port"])
def test_an_address_that_is_none_is_said_to_be_one(monkeypatch, url):
    monkeypatch.setenv("NEXUDUS_BASE_URL", url)
    monkeypatch.setenv("NEXUDUS_ACCESS_TOKEN", "a-token")

    with pytest.raises(WrongUseError, match="NEXUDUS_BASE_URL"), NexudusClient(load_settings()):
        pass


ADDRESSES = ("BASE_URL", "LAKE_S3_ENDPOINT", "PUBLISH_ENDPOINT", "ALERT_WEBHOOK_URL", "HEARTBEAT_URL")


@pytest.mark.parametrize("name", ADDRESSES)
def test_plain_http_leaves_this_machine_only_where_that_is_said(monkeypatch, name):
    for url in ("http://127.0.0.1:9000", "http://localhost", "http://[::1]:80", "https://nexudus.example"):
        monkeypatch.setenv(f"NEXUDUS_{name}", url)
        load_settings()
    for url in ("http://nexudus.example", "http://127.0.0.1.nexudus.example", "http://localhost@nexudus.example/x"):
        monkeypatch.setenv(f"NEXUDUS_{name}", url)
        with pytest.raises(WrongUseError, match=f"NEXUDUS_{name}( is not encrypted|: must be scheme)"):
            load_settings()

    monkeypatch.setenv(f"NEXUDUS_{name}", "http://nexudus.example")
    monkeypatch.setenv("NEXUDUS_ALLOW_PLAIN_HTTP", "true")
    load_settings()


def test_the_settings_do_not_print_the_password_of_a_catalogue(monkeypatch):
    monkeypatch.setenv("NEXUDUS_WAREHOUSE", "ducklake:postgres:password=canary")
    monkeypatch.setenv("NEXUDUS_LAKE_DATA_PATH", "lake")

    assert "canary" not in repr(load_settings())


NAMES = sorted(set(Settings.model_fields) - {"base_url"})
PATHS = {"data_dir", "warehouse", "analytics", "lake_data_path", "businesses_file"}
ODD = st.one_of(
    st.text(st.characters(exclude_characters="\0"), max_size=40),
    st.text("0123456789.-+eE_~", max_size=12),
    st.sampled_from(["inf", "-0", "1e400", "9" * 400, "0x10", "\udcff", "%20 %s {0} ' \" ; # $HOME", "true "]),
    st.integers().map(str),
)
VALUES = st.dictionaries(st.sampled_from(NAMES), ODD, min_size=1, max_size=3)


def check_that_settings_work_or_are_refused_with_a_sentence(folder, values):
    """What every verb does with them before it asks the API, and `status`."""

    def used():
        settings = load_settings()
        with NexudusClient(settings), open_warehouse(settings):
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NEXUDUS_ACCESS_TOKEN", "a-token")
        for name, value in values.items():
            text = str(folder / value.replace("..", "").strip("/")) if name in PATHS else value
            patch.setenv(f"NEXUDUS_{name.upper()}", text)
        with redirect_stderr(StringIO()) as err:
            codes = run_verb(used), run_here("status").code
    assert set(codes) <= {0, 1, 2}
    assert "Unexpected" not in err.getvalue()
    assert codes[0] == 0 or err.getvalue().strip()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("settings")


@pytest.mark.fault("any setting has any value", "any verb", "refused with a sentence")
@given(VALUES)
@settings(deadline=None, max_examples=20)
def test_any_settings_work_or_are_refused_with_a_sentence(scratch, values):
    check_that_settings_work_or_are_refused_with_a_sentence(scratch, values)


@pytest.mark.slow
@given(VALUES)
@settings(deadline=None, max_examples=2000)
def test_any_of_many_settings_work_or_are_refused_with_a_sentence(scratch, values):
    check_that_settings_work_or_are_refused_with_a_sentence(scratch, values)
