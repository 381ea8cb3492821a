"""The keys of [rules]."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from syncd.config.section import Section, section
from syncd.config.values import Sequence, Timezone, wrong
from syncd.model import SoftBounceRule

MAX_DAYS = 3650

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
    by_reason: ByReasonSection = section()

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

    def rule(self) -> SoftBounceRule:
        """As the pure part of syncd takes it."""
        return SoftBounceRule(
            threshold=self.threshold,
            window_days=self.window_days,
            max_per_day=self.max_per_day,
            span_days=self.span_days,
            ignore_reasons=frozenset(self.ignore_reasons),
            pause_days=self.pause_days,
            by_reason=tuple((reason, own) for reason, own in self.by_reason.model_dump().items() if own),
        )


class RulesSection(Section):
    timezone: Timezone = "UTC"
    lift_on_success: bool = True
    hard_bounce: HardBounceSection = section()
    soft_bounce: SoftBounceSection = section()
