"""The keys, their defaults and what they allow, but for [rules]. `config/syncd.example.toml` says what each is for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator

from syncd.config.rule_sections import RulesSection
from syncd.config.secret_files import Secrets
from syncd.config.section import Section, section
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
    parse_duration,
    wrong,
)
from syncd.model import Rules

_NEEDED = {
    "jwt": ("username", "consumer_key"),
    "client_credentials": ("my_domain", "consumer_key"),  # the flow exists on the org's own host only
    "session": ("instance_url",),
    "password": ("username", "consumer_key"),
}
"""auth → the keys it cannot do without."""


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

    Contact: ObjectFields = section()
    Lead: ObjectFields = section()
    Account: PersonAccountFields = section()


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
    store: StoreSection = section()
    receiver: ReceiverSection = section()
    dashboard: DashboardSection = section()
    sync: SyncSection = section()
    brake: BrakeSection = section()
    salesforce: SalesforceSection = section()
    mapping: MappingSection = section()
    fields: FieldsSection = section()
    rules: RulesSection = section()
    activities: ActivitiesSection = section()
    alerts: AlertsSection = section()
    logs: LogsSection = section()
    retention: RetentionSection = section()
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
            soft_bounce=self.rules.soft_bounce.rule(),
            activity_kinds=frozenset(self.activities.on),
            activities=self.activities.mode,
            subject=self.activities.subject,
        )
