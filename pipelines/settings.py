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
    )

    base_url: str = "https://spaces.nexudus.com"
    username: str | None = None
    password: SecretStr | None = None
    totp_secret: SecretStr | None = None
    access_token: SecretStr | None = None
    client_id: str | None = None

    history_start: date = date(2012, 1, 1)
    data_dir: Path = Path("data")
    warehouse: str | None = Field(default=None, validate_default=False)
    analytics: Path | None = None

    page_size: Annotated[int, Field(ge=1)] = 1000
    requests_per_minute: Count = 120
    requests_per_hour: Count = 5000
    request_spacing_ms: Count = 100
    writes_per_day: Count = 2500
    concurrent_requests: Annotated[int, Field(ge=1)] = 4
    settle_minutes: Count = 5
    lookback_minutes: Count = 60
    timeout_seconds: Annotated[float, Field(gt=0)] = 30

    reporting_timezone: Zone = "UTC"
    filter_timezone: Zone = "UTC"
    publish_personal_data: bool = False
    escalate_after_sync: bool = False
    alert_webhook_url: SecretStr | None = None

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

    @model_validator(mode="after")
    def _started_in_the_past(self) -> Self:
        if self.history_start > utc_now().date():
            raise ValueError("NEXUDUS_HISTORY_START is in the future")
        return self

    @property
    def warehouse_path(self) -> str:
        """DuckDB file, or `ducklake:` address, of the warehouse."""
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
