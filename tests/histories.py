"""What may have happened to one person, drawn for properties: payloads as Sarbacane documents them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.factories import ADDRESS, payload

kinds = st.sampled_from(["delivered", "soft_bounce", "hard_bounce", "open", "click", "unsubscribe", "complaint"])


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Weeks of mailings, weighted towards bounces; each event at its own moment, so nothing hangs on ties."""
    size = draw(st.integers(0, 18))
    moments = draw(st.lists(st.integers(0, 240), min_size=size, max_size=size, unique=True))
    return [
        payload(
            draw(kinds | st.just("soft_bounce")),
            quarter / 4,
            draw(st.sampled_from([f"s{quarter // 8}", f"s{quarter // 8}", f"s{quarter // 40}", ""])),
            campaignId=draw(st.sampled_from(["c1", ""])),
            email=draw(st.sampled_from([ADDRESS, ADDRESS, ADDRESS, "old@example.fr"])),
        )
        for quarter in moments
    ]


COURSES = (
    ("soft_bounce",),
    ("delivered", "soft_bounce"),
    ("soft_bounce", "soft_bounce"),
    ("soft_bounce", "hard_bounce"),
    ("hard_bounce", "soft_bounce"),
    ("delivered", "hard_bounce"),
    ("soft_bounce", "open"),
    ("soft_bounce", "click"),
    ("soft_bounce", "delivered"),
    ("open",),
)
"""How the mailings of one person end. Most of them bounce, or five in a row would hardly ever be drawn."""


@st.composite
def courses(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A row of mailings, each with its own end, which may come after the next ones have begun."""
    usual = st.sampled_from(COURSES[:3])
    hours = draw(st.lists(st.integers(0, 12), min_size=4, max_size=10))
    started, history = 0, []
    for number, pause in enumerate(hours):
        started += pause * 12 + 1
        moments = draw(st.lists(st.integers(0, 60), min_size=2, max_size=2, unique=True).map(sorted))
        for kind, after in zip(draw(usual | usual | st.sampled_from(COURSES)), moments, strict=False):
            # the minute is the mailing's own, so nothing hangs on ties
            history.append(payload(kind, (started + after) / 24 + number / 1440, f"s{number}"))
    return history


@st.composite
def scans(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Minutes around a few deliveries, with links that are followed at once, one by one, or not at all."""
    size = draw(st.integers(0, 14))
    moments = draw(st.lists(st.integers(0, 60), min_size=size, max_size=size, unique=True))
    return [
        payload(
            draw(kinds | st.sampled_from(["click", "click", "open"])),
            half / 2 / 86_400,
            draw(st.sampled_from(["a", "b"])),
            url=draw(
                st.sampled_from(["https://acme.example/1", "https://acme.example/2", "https://acme.example/3", ""])
            ),
            email=draw(st.sampled_from([ADDRESS, ADDRESS, "old@example.fr"])),
        )
        for half in moments
    ]


@st.composite
def bursts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A few seconds of one mail, in which hardly anything but a machine can have followed its links."""
    size = draw(st.integers(2, 4))
    moments = draw(st.lists(st.integers(0, 6), min_size=size, max_size=size, unique=True))
    return [
        payload(draw(st.sampled_from(["click", "click", "open", "delivered"])), second / 86_400, "s", url=f"{second}")
        for second in moments
    ]
