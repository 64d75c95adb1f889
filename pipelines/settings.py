"""Every environment variable, typed, its unit in its name; and the clock. Nothing else reads the environment."""

import os
import re
import stat
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal, Self, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pipelines.errors import WrongUseError
from pipelines.foundation.loopback import is_this_machine

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock. Passed in wherever a moment matters, so that tests can set it."""
    return datetime.now(UTC)


_UNKNOWN_TO_DUCKDB = re.compile("(posix|right)/|(localtime|posixrules|Factory)$")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo("" if _UNKNOWN_TO_DUCKDB.match(name) else name)
    except (OSError, ValueError, KeyError):
        raise ValueError("is not a known IANA time zone (for example Europe/London)") from None
    return name


def _with_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("begins with the home folder of a user who is not known here") from None


def _is_plain_to_others(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False  # no address, which is for others to say
    return parts.scheme == "http" and not is_this_machine(parts.hostname or "")


_UNIX_TIME = date(1970, 1, 1)
_FIX_IT = "Fix it in the environment or in .env."
# GoCardless reports a late failure of a direct debit up to four weeks after it was submitted.
PAYMENT_LOST_AFTER_DAYS = 28

Zone = Annotated[str, AfterValidator(_known_zone)]
FilePath = Annotated[Path, AfterValidator(_with_home)]
# What is larger no machine, no API and no calendar takes: SQLite, DuckDB and the clock each end somewhere.
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Days = Annotated[int, Field(ge=1, le=36_500)]
# A control character, or half of a surrogate pair: what is no text, as an environment may hold it.
_NO_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


class SecretFiles(PydanticBaseSettingsSource):
    """Secrets from files: where `NEXUDUS_PASSWORD_FILE` names one, its content, without white space around it."""

    def __init__(self, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._named: dict[str, str | None] = {}
        for source in reversed(sources):
            self._named |= getattr(source, "env_vars", {})

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        """The secret of a field whose file is named. Raises WrongUseError for a file that cannot be read."""
        path = self._named.get(f"nexudus_{field_name}_file")
        if not path or SecretStr not in get_args(field.annotation):
            return None, field_name, False
        try:
            return Path(path).expanduser().read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise WrongUseError(
                f"NEXUDUS_{field_name.upper()}_FILE: {path} cannot be read ({reason}). {_FIX_IT}"
            ) from None

    def __call__(self) -> dict[str, str]:
        """The secrets that are in files."""
        fields = self.settings_cls.model_fields
        found = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: secret for name, secret in found.items() if secret}


class Settings(BaseSettings):
    """The program's settings, from `NEXUDUS_*` variables and a `.env` file in the working directory.

    A secret may be in a file instead, as Docker and systemd hand them over: `NEXUDUS_PASSWORD_FILE` names one.
    """

    model_config = SettingsConfigDict(
        env_prefix="NEXUDUS_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    base_url: str = "https://spaces.nexudus.com"
    """Scheme and host of the API."""
    username: str | None = None
    """E-mail address of the user to log in as."""
    password: SecretStr | None = None
    """Password of that user."""
    totp_secret: SecretStr | None = None
    """Base32 secret of the second factor, where the account requires one."""
    access_token: SecretStr | None = None
    """Bearer token to use instead of logging in."""
    allow_plain_http: bool = False
    """Whether `http://` may be used for another machine: anyone on the way can read the password and every name."""
    client_id: str | None = None
    """GUID sent with the login; generated once per data directory unless set."""

    history_start: date = date(2012, 1, 1)
    """First day of history to pull; a first sync skips the empty years before the oldest entry."""
    data_dir: FilePath = Path("data")
    """Folder for everything that the program stores."""
    warehouse: str | None = Field(default=None, validate_default=False, repr=False)
    """The warehouse: a DuckDB file (`warehouse.duckdb` in the data directory unless set), or `ducklake:postgres:…`."""
    lake_data_path: str | None = None
    """Where a DuckLake keeps its Parquet files: a folder, or `s3://bucket/prefix`."""
    lake_s3_endpoint: str | None = None
    """Address of an S3-compatible store that is not AWS, for example `http://127.0.0.1:9000`."""
    lake_s3_region: str = "us-east-1"
    """Region of the store."""
    lake_s3_key_id: SecretStr | None = None
    """Access key of the store; without it DuckDB's own stored secrets are used."""
    lake_s3_secret: SecretStr | None = None
    """Secret key that belongs to it."""
    lake_keep_days: Days = 7
    """Days for which earlier states of a lake can still be read."""
    analytics: FilePath | None = None
    """The published file; `analytics.duckdb` in the data directory unless set."""

    kept_releases: Annotated[Count, Field(ge=1)] = 3
    """Number of releases of the published file that are kept, here and in the bucket."""
    publish_to: str | None = None
    """Bucket that gets each release too: `s3://bucket/folder`, `gs://…`, `az://…`, R2's `https://…`, `file:///folder`."""
    publish_endpoint: str | None = None
    """Address of an S3-compatible store that is not AWS."""
    publish_region: str | None = None
    """Region of the bucket, where it is not us-east-1."""
    publish_key_id: SecretStr | None = None
    """Access key (Azure: the account's name) of the bucket; without it AWS_…, GOOGLE_… or AZURE_… variables count."""
    publish_secret: SecretStr | None = None
    """Secret key that belongs to it (Azure: key of the account)."""
    keep_deleted_days: Days | None = None
    """Days after which entries deleted in Nexudus lose names, texts and raw JSON, at a `reconcile`; kept unless set."""
    keep_versions_days: Days | None = None
    """Days after which earlier versions of a record, and rejected records, lose them; kept unless set."""

    page_size: Annotated[Count, Field(ge=1)] = 1000
    """Records per request; where the server answers with a smaller page, that size is used."""
    requests_per_minute: Count = 120
    """Limit of requests per minute, shared by all processes of the data directory; 0 turns it off."""
    requests_per_hour: Count = 5000
    """Limit of requests per hour; 0 turns it off."""
    request_spacing_ms: Count = 100
    """Minimum time between two requests, in milliseconds; 0 turns it off."""
    writes_per_day: Count = 2500
    """Limit of history entries created per day; 0 turns it off."""
    concurrent_requests: Annotated[int, Field(ge=1, le=100)] = 4
    """Number of time ranges that are read in parallel when a lot is missing."""
    settle_minutes: Count = 5
    """Safety margin: newer minutes are read again, because entries may still arrive in them."""
    lookback_minutes: Count = 60
    """Minutes before the newest data that each sync reads again, for entries that were stamped late."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 30
    """Seconds to wait for a response, or for more of it; the whole of it may take ten times as long."""
    largest_answer_mb: Annotated[Count, Field(ge=1)] = 100
    """Megabytes of an answer, unpacked, that are taken in; a larger page is asked for again in smaller ones."""

    invoices: Literal["auto", "on", "off"] = "auto"
    """Whether invoices are read too: where the role CoworkerInvoice-List is granted, always (else exit 3), or never."""

    reporting_timezone: Zone = "UTC"
    """Time zone of the days and months in the figures."""
    payment_lost_after_days: Days = PAYMENT_LOST_AFTER_DAYS
    """Days without news after which a payment in flight counts as lost; direct debits take up to four weeks."""
    filter_timezone: Zone = "UTC"
    """Time zone in which the API reads filter values; `doctor` finds out."""
    publish_personal_data: bool = False
    """Whether names and free text are published; otherwise titles and texts show only words that the rules know."""
    publish_tokens: bool = False
    """Whether invoice numbers and customers' Ids are published as keyed tokens, the same for the same one."""
    businesses_file: FilePath | None = None
    """CSV file with `business_id,business_name,time_zone`; otherwise the API is asked, where the role allows it."""
    dashboard_hosts: str = ""
    """Host names, separated by commas, by which a dashboard behind a proxy or on a network is called."""
    dashboard_users: str = ""
    """E-mail addresses, or `@domain`s, separated by commas: the dashboard asks for a sign-in and lets only them in."""
    escalate_after_sync: bool = False
    """Whether each sync ends with sending the follow-ups that are due."""
    send_from_dagster: bool = False
    """Whether Dagster's job `escalate` may send. A web page can start a job of an open Dagster, but not set this."""
    alert_webhook_url: SecretStr | None = None
    """Slack-compatible webhook to which failed runs and checks are posted, and incidents that open or are over."""
    alert_floor: Annotated[Count, Field(ge=1)] = 5
    """Failures from which on an incident is worth an alert."""
    smtp_host: str = ""
    """Mail server for alerts and the report, as `host` or `host:port` (587 unless given; 465 is TLS at once)."""
    smtp_username: str | None = None
    """Login at the mail server, where it wants one."""
    smtp_password: SecretStr | None = None
    """Password of that login."""
    mail_from: str = ""
    """Address that alerts and the report come from."""
    mail_to: str = ""
    """Addresses, separated by commas, that get them."""
    heartbeat_url: SecretStr | None = None
    """Address that each good sync calls at its end, for a monitor that alarms when no call comes (healthchecks.io)."""
    dagster_url: str | None = None
    """Address of Dagster's pages, for links in those posts."""
    dashboard_url: str | None = None
    """Address of the dashboard, for links in alerts and reports."""
    invoice_url: str = "https://platform.nexudus.com/operations/customers/0/invoices/{invoice}"
    """Where the dashboard's link to an invoice in Nexudus leads; `{invoice}` stands for its id."""
    daily_sync_cron: str = "30 6 * * *"
    """When `daily_sync` runs, in the reporting time zone, as five cron fields."""
    hourly_sync_cron: str = "10 * * * *"
    """When `hourly_sync` runs, once it is switched on in Dagster."""
    monthly_reconcile_cron: str = "0 3 1 * *"
    """When `monthly_reconcile` runs."""
    weekly_report_cron: str = "0 8 * * 1"
    """When `weekly_report` mails the report, where a mail server is set."""

    @model_validator(mode="before")
    @classmethod
    def _texts(cls, values: dict[str, object]) -> dict[str, object]:
        for name, value in values.items():
            if isinstance(value, str) and _NO_TEXT.search(value):
                raise ValueError(f"NEXUDUS_{name.upper()} holds characters that are no text: type it again")
        return values

    @field_validator("base_url")
    @classmethod
    def _absolute(cls, url: str) -> str:
        url = url.strip().rstrip("/")
        scheme, _, rest = url.partition("://")
        if scheme not in {"http", "https"} or not rest:
            raise ValueError("must begin with https:// (for example https://spaces.nexudus.com)")
        if "/" in rest or "?" in rest or "@" in rest:
            raise ValueError("must be scheme and host only, without path, query or login")
        try:
            urlsplit(url)
            rest.encode("idna")  # as looking up the host will do
        except ValueError:
            raise ValueError("is not an address (for example https://spaces.nexudus.com)") from None
        return url

    @field_validator("warehouse")
    @classmethod
    def _file_or_lake(cls, address: str | None) -> str | None:
        kind, _, rest = (address or "").removeprefix("ducklake:").partition(":")
        if address and address.startswith("ducklake:") and rest and kind != "postgres":
            raise ValueError("must be a file, ducklake:postgres:… with a connection string, or ducklake:FILE")
        return re.sub("^(ducklake:)?~/", rf"\1{Path.home()}/", address) if address else None

    @field_validator("lake_data_path")
    @classmethod
    def _folder_or_store(cls, path: str | None) -> str | None:
        return re.sub("^~/", f"{Path.home()}/", path) if path else None

    @field_validator("publish_to")
    @classmethod
    def _bucket(cls, address: str | None) -> str | None:
        bucket = r"((s3|gs|az|file)://|https://\w+\.r2\.cloudflarestorage\.com/)[^?@]+"
        if address and not re.fullmatch(bucket, address):
            raise ValueError(
                "must be s3://bucket/folder, gs://…, az://…, file:///folder or R2's https://… and a bucket"
            )
        return address.rstrip("/") if address else None

    @model_validator(mode="after")
    def _lake_is_complete(self) -> Self:
        if (self.warehouse or "").startswith("ducklake:postgres:") and not self.lake_data_path:
            raise ValueError("NEXUDUS_LAKE_DATA_PATH must say where the lake keeps its files (a folder or s3://…)")
        if bool(self.lake_s3_key_id) != bool(self.lake_s3_secret):
            raise ValueError("NEXUDUS_LAKE_S3_KEY_ID and NEXUDUS_LAKE_S3_SECRET belong together")
        return self

    @field_validator("alert_webhook_url", "heartbeat_url")
    @classmethod
    def _postable(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("must begin with https://")
        return url

    @field_validator("smtp_host")
    @classmethod
    def _host_and_port(cls, text: str) -> str:
        if text and not re.fullmatch(r"[^\s:/@]+(:\d{1,5})?", text):
            raise ValueError("must be a host, or host:port (for example smtp.example.com:587)")
        return text

    @field_validator("mail_from", "mail_to")
    @classmethod
    def _addresses(cls, text: str) -> str:
        if wrong := [one for one in listed(text) if not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", one)]:
            raise ValueError(f"{wrong[0]} is not an address (for example finance@example.com)")
        return text

    @model_validator(mode="after")
    def _is_encrypted(self) -> Self:
        for name in ("base_url", "lake_s3_endpoint", "publish_endpoint", "alert_webhook_url", "heartbeat_url"):
            value = getattr(self, name) or ""
            address = value.get_secret_value() if isinstance(value, SecretStr) else value
            if not self.allow_plain_http and _is_plain_to_others(address):
                raise ValueError(
                    f"NEXUDUS_{name.upper()} is not encrypted: write https://, or set NEXUDUS_ALLOW_PLAIN_HTTP=true "
                    "where nobody else is on the way"
                )
        return self

    @model_validator(mode="after")
    def _published_beside_the_warehouse(self) -> Self:
        for path in (self.analytics_path, Path(self.warehouse_path)):
            if not self.warehouse_path.startswith("ducklake:") and "?" in str(path.absolute()):
                raise ValueError(f"{path} has a question mark in its path, from which on DuckDB reads options")
        published, warehouse = (str(Path(path).resolve()) for path in (self.analytics_path, self.warehouse_path))
        if f"{published}.".startswith(f"{warehouse}."):
            raise ValueError("NEXUDUS_ANALYTICS names the warehouse, or a file of it; it must be a file of its own")
        return self

    @model_validator(mode="after")
    def _started_in_the_past(self) -> Self:
        if not _UNIX_TIME <= self.history_start <= utc_now().date():
            raise ValueError("NEXUDUS_HISTORY_START must be a day between 1970-01-01 and today")
        return self

    @property
    def warehouse_path(self) -> str:
        """DuckDB file of the warehouse, or `ducklake:` and where its catalogue is; that may hold a password."""
        return self.warehouse or str(self.data_dir / "warehouse.duckdb")

    @property
    def analytics_path(self) -> Path:
        """The published file."""
        return self.analytics or self.data_dir / "analytics.duckdb"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - its files have other names
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, the environment, `.env`, and then the files that `NEXUDUS_<SECRET>_FILE` names in either."""
        return (init_settings, env_settings, dotenv_settings, SecretFiles(settings_cls, env_settings, dotenv_settings))


def listed(text: str) -> frozenset[str]:
    """The members of a setting that is a list separated by commas, in lower case."""
    return frozenset(one.strip().lower() for one in text.split(",") if one.strip())


def load_settings() -> Settings:
    """Settings from the environment. Raises WrongUseError that names each variable to fix."""
    _refuse_foreign_hands(Path(".env"))
    try:
        return Settings()
    except UnicodeDecodeError:
        raise WrongUseError(".env is not UTF-8 text: save it again with the encoding UTF-8.") from None
    except OSError as error:
        raise WrongUseError(f".env cannot be read ({error.strerror}): fix its permissions.") from None
    except ValidationError as error:
        raise WrongUseError(
            "; ".join(
                f"{'NEXUDUS_' + str(problem['loc'][0]).upper() if problem['loc'] else 'settings'}: "
                f"{problem['msg'].removeprefix('Value error, ')}"
                for problem in error.errors(include_input=False, include_url=False)
            )
            + f". {_FIX_IT}"
        ) from None


def _refuse_foreign_hands(file: Path) -> None:
    """Who can write the settings can send the password to a host of their own."""
    try:
        found = file.stat()
    except OSError:
        return
    is_of_others = found.st_mode & stat.S_IWGRP and found.st_gid != os.getegid()  # a group of one's own is usual
    if found.st_mode & stat.S_IWOTH or is_of_others:
        raise WrongUseError(f"Others on this machine can write to {file}: run `chmod 600 {file}`.")


def settings_as_markdown() -> str:
    """A table of every variable, its default and its meaning, for docs/settings.md."""
    rows = [
        f"| `NEXUDUS_{name.upper()}` | {'' if field.default is None else f'`{field.default}`'} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])
