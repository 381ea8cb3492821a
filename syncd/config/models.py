"""The keys, their defaults and what they allow. `config/syncd.example.toml` says what each is for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, field_validator

from syncd.config.secret_files import Secrets
from syncd.config.values import (
    SQLITE,
    ApiName,
    Bind,
    CaBundle,
    DailyBudget,
    Directory,
    Duration,
    Host,
    InstanceUrl,
    ListenAddress,
    NotifierUrl,
    OptionalApiName,
    Sequence,
    StoreUrl,
    SubjectTemplate,
    Timezone,
    parse_duration,
    wrong,
)
from syncd.model import Rules, SoftBounceRule

MAX_DAYS = 3650
_NEEDED = {
    "jwt": ("username", "consumer_key"),
    "client_credentials": ("my_domain", "consumer_key"),  # the flow exists on the org's own host only
    "session": ("instance_url",),
    "password": ("username", "consumer_key"),
}
"""auth → the keys it cannot do without."""


def _section() -> Any:
    """A section left out is one whose keys are all left out: its defaults are checked like written values."""
    return Field(default_factory=dict, validate_default=True)


class Section(BaseModel):
    # strict: threshold = true or "5" would otherwise pass for a number
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class StoreSection(Section):
    url: StoreUrl = f"{SQLITE}/var/lib/syncd/syncd.db"

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix(SQLITE))


class ReceiverSection(Section):
    bind: ListenAddress = Bind("127.0.0.1", 8080)
    max_body_bytes: int = Field(1_048_576, ge=1024, le=64 * 1_048_576)
    trusted_proxies: int = Field(0, ge=0, le=10)


class DashboardSection(Section):
    bind: ListenAddress = Bind("127.0.0.1", 8081)


class SyncSection(Section):
    mode: Literal["live", "observe"] = "live"
    every: Duration = parse_duration("60s")
    batch_size: int = Field(2000, ge=1, le=2000)
    retry_for: Duration = parse_duration("7d")


Share = Annotated[float, Field(gt=0, le=1)]


class BrakeSection(Section):
    enabled: bool = True
    max_marks: int = Field(200, ge=1)
    max_share: Share = 0.03
    group_min: int = Field(50, ge=2)
    send_share: Share = 0.1
    domain_share: Share = 0.8


class SalesforceSection(Section):
    auth: Literal["jwt", "client_credentials", "session", "password"] = "jwt"
    login_host: Host = Field("login.salesforce.com", min_length=1)
    my_domain: Host = Field("", validate_default=True, examples=["acme.my.salesforce.com"])
    instance_url: InstanceUrl = Field("", validate_default=True, examples=["https://acme.my.salesforce.com"])
    username: str = Field("", validate_default=True, examples=["syncd@acme.example"])
    consumer_key: str = Field("", validate_default=True, repr=False, examples=["3MVG9…"])
    api_version: str = Field("67.0", pattern=r"^[1-9][0-9]\.0$")
    timeout: Duration = parse_duration("30s")
    ca_bundle: CaBundle = None
    daily_budget: DailyBudget = "20%"
    bulk_threshold: int = Field(2000, ge=1, le=1_000_000)

    @field_validator("my_domain", "instance_url", "username", "consumer_key")
    @classmethod
    def _needed_to_log_in(cls, value: str, info: ValidationInfo) -> str:
        auth = info.data.get("auth")
        if info.field_name in _NEEDED.get(str(auth), ()) and not value.strip():
            raise wrong(f'is missing; auth = "{auth}" needs it')
        return value.strip()


class ObjectFields(Section):
    email: Annotated[tuple[ApiName, ...], Sequence] = Field(("Email",), min_length=1)
    bounce_date: OptionalApiName = "EmailBouncedDate"
    bounce_reason: OptionalApiName = "EmailBouncedReason"
    opted_out: OptionalApiName = "HasOptedOutOfEmail"
    invalid: OptionalApiName = ""
    soft_bounce_count: OptionalApiName = ""
    last_open: OptionalApiName = ""
    last_click: OptionalApiName = ""


class PersonAccountFields(ObjectFields):
    email: Annotated[tuple[ApiName, ...], Sequence] = Field(("PersonEmail",), min_length=1)
    bounce_date: OptionalApiName = "PersonEmailBouncedDate"
    bounce_reason: OptionalApiName = "PersonEmailBouncedReason"
    opted_out: OptionalApiName = "PersonHasOptedOutOfEmail"


class FieldsSection(Section):
    """Named like Salesforce's objects, so that a record's type finds its fields."""

    Contact: ObjectFields = _section()
    Lead: ObjectFields = _section()
    Account: PersonAccountFields = _section()


BounceReason = Literal[
    "address_unknown",
    "domain_unknown",
    "mailbox_disabled",
    "mailbox_full",
    "blocked",
    "content",
    "policy",
    "sender_auth",
    "too_large",
    "rate_limited",
    "network",
    "relaying",
    "other",
]
"""Those of syncd.bounces, which stands above the configuration; a test holds them together."""

Threshold = Annotated[int, Field(ge=0, le=1000)]


class HardBounceSection(Section):
    spare: Annotated[tuple[BounceReason, ...], Sequence] = ()


class ByReasonSection(Section):
    """Thresholds of their own; 0 is none."""

    address_unknown: Threshold = 0
    domain_unknown: Threshold = 0
    mailbox_disabled: Threshold = 0
    mailbox_full: Threshold = 0
    blocked: Threshold = 0
    content: Threshold = 0
    policy: Threshold = 0
    sender_auth: Threshold = 0
    too_large: Threshold = 0
    rate_limited: Threshold = 0
    network: Threshold = 0
    relaying: Threshold = 0
    other: Threshold = 0


class SoftBounceSection(Section):
    # Each validator sees the fields above its own, so the order is part of the checks.
    threshold: int = Field(5, ge=1, le=1000)
    max_per_day: int = Field(1, ge=1, le=1000)
    window_days: int = Field(365, ge=1, le=MAX_DAYS, validate_default=True)
    span_days: int = Field(7, ge=0, le=MAX_DAYS, validate_default=True)
    ignore_reasons: Annotated[tuple[BounceReason, ...], Sequence] = (
        "blocked",
        "content",
        "policy",
        "sender_auth",
        "rate_limited",
        "too_large",
    )
    pause_days: int = Field(7, ge=0, le=MAX_DAYS)
    by_reason: ByReasonSection = _section()

    @field_validator("window_days")
    @classmethod
    def _threshold_can_be_reached(cls, value: int, info: ValidationInfo) -> int:
        threshold, max_per_day = info.data.get("threshold"), info.data.get("max_per_day")
        if threshold and max_per_day and (days := (threshold - 1) // max_per_day) > value:
            raise wrong(
                f"is {value}, too short to count to threshold = {threshold} with max_per_day = {max_per_day}: "
                f"that takes {days} days, so nothing would ever be marked",
                days,
            )
        return value

    @field_validator("span_days")
    @classmethod
    def _span_fits_the_window(cls, value: int, info: ValidationInfo) -> int:
        window_days = info.data.get("window_days")
        if window_days is not None and value >= window_days:
            raise wrong(f"is {value}; it must be less than window_days = {window_days}", min(7, window_days - 1))
        return value


class ExternalIdSection(Section):
    """Named like Salesforce's objects."""

    Contact: OptionalApiName = ""
    Lead: OptionalApiName = ""

    def __iter__(self) -> Iterator[tuple[str, str]]:  # type: ignore[override]
        yield from (("Contact", self.Contact), ("Lead", self.Lead))


class MappingSection(Section):
    whid: Literal["salesforce_id", "external_id", "auto"] = "salesforce_id"
    match_by_email: Literal["never", "unique"] = "never"
    external_id: ExternalIdSection = Field(default_factory=dict, validate_default=True)

    @field_validator("external_id")
    @classmethod
    def _names_a_field(cls, value: ExternalIdSection, info: ValidationInfo) -> ExternalIdSection:
        whid = info.data.get("whid")
        if whid in ("external_id", "auto") and not any(field for _, field in value):
            raise wrong(f'names no field; whid = "{whid}" needs one', {"Contact": "Sarbacane_Id__c"})
        return value


class RulesSection(Section):
    timezone: Timezone = "UTC"
    lift_on_success: bool = True
    hard_bounce: HardBounceSection = _section()
    soft_bounce: SoftBounceSection = _section()


class ActivitiesSection(Section):
    mode: Literal["per_send", "per_event", "off"] = "per_send"
    on: Annotated[tuple[Literal["open", "click"], ...], Sequence] = Field(("open", "click"), min_length=1)
    every: Duration = parse_duration("15m")
    external_id_field: OptionalApiName = ""
    subject: SubjectTemplate = Field("{subject}", min_length=1, max_length=255)
    settle_uncertain: Duration = parse_duration("10m")


class AlertsSection(Section):
    urls: Annotated[tuple[NotifierUrl, ...], Sequence] = Field((), repr=False)
    silence: bool = True


class RetentionSection(Section):
    """In days; 0 keeps everything."""

    events_days: int = Field(730, ge=0, le=36500)
    quarantine_days: int = Field(90, ge=0, le=36500)


PartLevel = Literal["", "debug", "info", "warning", "error"]


class LogsSection(Section):
    """How much is logged; of a part "" is as of all."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    receiver: PartLevel = ""
    scheduler: PartLevel = ""
    salesforce: PartLevel = ""

    def by_logger(self) -> dict[str, str]:
        """Where the parts log."""
        parts = (
            (self.receiver, ("syncd.receiver", "syncd.intake")),
            (self.scheduler, ("syncd.schedule", "syncd.engine", "syncd.watch")),
            (self.salesforce, ("syncd.salesforce",)),
        )
        return {name: level for level, names in parts if level for name in names}


class Settings(Section):
    """The whole configuration. Made by `load`, or by `from_mapping` where there is no file."""

    secrets_dir: Directory = Path("/etc/syncd/secrets")
    store: StoreSection = _section()
    receiver: ReceiverSection = _section()
    dashboard: DashboardSection = _section()
    sync: SyncSection = _section()
    brake: BrakeSection = _section()
    salesforce: SalesforceSection = _section()
    mapping: MappingSection = _section()
    fields: FieldsSection = _section()
    rules: RulesSection = _section()
    activities: ActivitiesSection = _section()
    alerts: AlertsSection = _section()
    logs: LogsSection = _section()
    retention: RetentionSection = _section()
    _credentials_dir: Path | None = PrivateAttr(None)

    def with_credentials(self, directory: Path | None) -> "Settings":
        self._credentials_dir = directory
        return self

    @property
    def secrets(self) -> Secrets:
        return Secrets(self.secrets_dir, self._credentials_dir)

    def judgement(self) -> Rules:
        """The rules as the pure part of syncd takes them."""
        return Rules(
            timezone=self.rules.timezone,
            lift_on_success=self.rules.lift_on_success,
            hard_bounce_spare=frozenset(self.rules.hard_bounce.spare),
            soft_bounce=self._soft_bounce_rule(),
            activity_kinds=frozenset(self.activities.on),
            activities=self.activities.mode,
            subject=self.activities.subject,
        )

    def _soft_bounce_rule(self) -> SoftBounceRule:
        section = self.rules.soft_bounce
        return SoftBounceRule(
            threshold=section.threshold,
            window_days=section.window_days,
            max_per_day=section.max_per_day,
            span_days=section.span_days,
            ignore_reasons=frozenset(section.ignore_reasons),
            pause_days=section.pause_days,
            by_reason=tuple((reason, own) for reason, own in section.by_reason.model_dump().items() if own),
        )
