"""Every environment variable, typed, its unit in its name; and the clock. Nothing else reads the environment."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.errors import WrongUseError

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock. Passed in wherever a moment matters, so that tests can set it."""
    return datetime.now(UTC)


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is not a known IANA time zone (for example Europe/London)")
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]
Count = Annotated[int, Field(ge=0)]


class Settings(BaseSettings):
    """The program's settings, from `NEXUDUS_*` variables and a `.env` file in the working directory."""

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
    """E-mail of the user who logs in."""
    password: SecretStr | None = None
    """That user's password."""
    totp_secret: SecretStr | None = None
    """Base32 secret of the second factor, where the login asks for one."""
    access_token: SecretStr | None = None
    """A bearer token to use instead of a login."""
    client_id: str | None = None
    """GUID that the login goes by; made once per data directory unless given."""

    history_start: date = date(2012, 1, 1)
    """First day of history to pull; a first sync skips the empty years before the oldest entry."""
    data_dir: Path = Path("data")
    """Folder of everything that the program keeps."""
    warehouse: str | None = Field(default=None, validate_default=False)
    """The warehouse: a file (`warehouse.duckdb` in the data directory unless given), or `ducklake:postgres:…`."""
    lake_data_path: str | None = None
    """Where a DuckLake keeps its Parquet files: a folder, or `s3://bucket/prefix`."""
    lake_s3_endpoint: str | None = None
    """Address of an S3-compatible store that is not AWS, for example `http://127.0.0.1:9000`."""
    lake_s3_region: str = "us-east-1"
    """Region of the store."""
    lake_s3_key_id: SecretStr | None = None
    """Access key of the store; without it DuckDB's own stored secrets are used."""
    lake_s3_secret: SecretStr | None = None
    """The secret that belongs to it."""
    lake_keep_days: Annotated[int, Field(ge=1)] = 7
    """Days for which earlier states of a lake can still be read."""
    analytics: Path | None = None
    """The published file; `analytics.duckdb` in the data directory unless given."""

    page_size: Annotated[int, Field(ge=1)] = 1000
    """Records to ask for in one request; a smaller size that the server answers with is adopted."""
    requests_per_minute: Count = 120
    """Pace, shared by all processes of the data directory; 0 turns it off."""
    requests_per_hour: Count = 5000
    """The same by the hour."""
    request_spacing_ms: Count = 100
    """Milliseconds between two requests; 0 turns it off."""
    writes_per_day: Count = 2500
    """History entries created in a day; 0 turns it off."""
    concurrent_requests: Annotated[int, Field(ge=1)] = 4
    """Ranges of a large gap that are read side by side."""
    settle_minutes: Count = 5
    """Minutes before the server's now that are not closed yet: they could still get company."""
    lookback_minutes: Count = 60
    """Closed minutes that each sync looks at again."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 30
    """Seconds to wait for an answer."""

    reporting_timezone: Zone = "UTC"
    """Zone whose days and months the figures use."""
    filter_timezone: Zone = "UTC"
    """Zone in which the API reads filter values; `doctor` finds it."""
    publish_personal_data: bool = False
    """Whether names and free text are published; else a description appears as its pattern."""
    businesses_file: Path | None = None
    """CSV of names, `business_id,business_name,time_zone`; else they are asked of the API, where the role allows."""
    escalate_after_sync: bool = False
    """Whether the daily job ends with sending the escalations."""
    alert_webhook_url: SecretStr | None = None
    """Slack-compatible address that failed runs and checks are posted to."""
    dagster_url: str | None = None
    """Address of Dagster's pages, for the links in those posts."""
    daily_sync_cron: str = "30 6 * * *"
    """When `daily_sync` runs, in the reporting zone: five cron fields."""
    hourly_sync_cron: str = "10 * * * *"
    """When `hourly_sync` runs, once somebody has switched it on."""
    monthly_reconcile_cron: str = "0 3 1 * *"
    """When `monthly_reconcile` runs."""

    @field_validator("base_url")
    @classmethod
    def _absolute(cls, url: str) -> str:
        url = url.strip().rstrip("/")
        scheme, _, rest = url.partition("://")
        if scheme not in {"http", "https"} or not rest:
            raise ValueError("must begin with https:// (for example https://spaces.nexudus.com)")
        if "/" in rest or "?" in rest or "@" in rest:
            raise ValueError("must be scheme and host only, without path, query or login")
        return url

    @field_validator("warehouse")
    @classmethod
    def _file_or_lake(cls, address: str | None) -> str | None:
        kind, _, rest = (address or "").removeprefix("ducklake:").partition(":")
        if address and address.startswith("ducklake:") and rest and kind != "postgres":
            raise ValueError("must be a file, ducklake:postgres:… with a connection string, or ducklake:FILE")
        return address

    @model_validator(mode="after")
    def _lake_is_complete(self) -> Self:
        if (self.warehouse or "").startswith("ducklake:postgres:") and not self.lake_data_path:
            raise ValueError("NEXUDUS_LAKE_DATA_PATH must say where the lake keeps its files (a folder or s3://…)")
        if bool(self.lake_s3_key_id) != bool(self.lake_s3_secret):
            raise ValueError("NEXUDUS_LAKE_S3_KEY_ID and NEXUDUS_LAKE_S3_SECRET belong together")
        return self

    @field_validator("alert_webhook_url")
    @classmethod
    def _postable(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("must begin with https://")
        return url

    @model_validator(mode="after")
    def _started_in_the_past(self) -> Self:
        if self.history_start > utc_now().date():
            raise ValueError("NEXUDUS_HISTORY_START is in the future")
        return self

    @property
    def warehouse_path(self) -> str:
        """DuckDB file of the warehouse, or `ducklake:` and where its catalogue is; that may hold a password."""
        return self.warehouse or str(self.data_dir / "warehouse.duckdb")

    @property
    def analytics_path(self) -> Path:
        """The published file."""
        return self.analytics or self.data_dir / "analytics.duckdb"

    @property
    def reporting_zone(self) -> ZoneInfo:
        """The zone whose calendar days and months the figures use."""
        return ZoneInfo(self.reporting_timezone)


def load_settings() -> Settings:
    """Settings from the environment. Raises WrongUseError that names each variable to mend."""
    try:
        return Settings()
    except ValidationError as error:
        raise WrongUseError(
            "; ".join(
                f"{'NEXUDUS_' + str(problem['loc'][0]).upper() if problem['loc'] else 'settings'}: "
                f"{problem['msg'].removeprefix('Value error, ')}"
                for problem in error.errors(include_input=False, include_url=False)
            )
            + ". Mend it in the environment or in .env."
        ) from None


def settings_as_markdown() -> str:
    """A table of every variable, its default and its meaning, for docs/settings.md."""
    rows = [
        f"| `NEXUDUS_{name.upper()}` | {'' if field.default is None else f'`{field.default}`'} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])
