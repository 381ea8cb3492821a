"""An opt-out that a person took away, and what came afterwards: whoever unsubscribes once more is heard."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syncd.sandbox import Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload


def instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


@pytest.fixture
def cleared(syncd: Syncd, org: Org) -> str:
    """Unsubscribed twice, opted out by syncd, and allowed again by a person a day later."""
    contact = org.add("Contact", LastName="Durand", Email=ADDRESS)
    unsubscribed = payload("unsubscribe", 1, whId=contact)
    ahead = payload("unsubscribe", 2, whId=contact, date=instant(syncd.clock.at + 3_000_000).isoformat())
    syncd.receive(unsubscribed, ahead)
    syncd.run()
    assert org.get(contact)["HasOptedOutOfEmail"]
    syncd.later(minutes=10)
    at = syncd.clock.at
    org.clock = lambda: instant(at)
    org.edit(contact, HasOptedOutOfEmail=False)
    syncd.later(days=5)
    return contact


def test_who_unsubscribes_once_more_is_opted_out_though_nothing_else_came_since(
    syncd: Syncd, org: Org, cleared: str
) -> None:
    when = instant(syncd.clock.at - 30_000).isoformat()
    syncd.receive(payload("unsubscribe", 9, whId=cleared, date=when))
    syncd.run()
    assert org.get(cleared)["HasOptedOutOfEmail"]


def test_what_was_known_before_never_opts_out_again(syncd: Syncd, org: Org, cleared: str) -> None:
    syncd.receive(payload("open", 9, whId=cleared), payload("complaint", 2, whId=cleared))
    syncd.run()
    syncd.wake()
    syncd.run()
    assert not org.get(cleared)["HasOptedOutOfEmail"]
    assert [word["verdict"] for word in syncd.desk.decisions()] == ["cleared_in_salesforce"]


def test_where_nobody_tells_when_it_was_changed_all_that_came_until_now_is_spent(
    syncd: Syncd, org: Org, cleared: str
) -> None:
    org.hide_field("Contact", "LastModifiedDate")
    syncd.crm.records.forget_shapes()
    when = instant(syncd.clock.at - 30_000).isoformat()
    syncd.receive(payload("unsubscribe", 9, whId=cleared, date=when))
    syncd.run()
    assert not org.get(cleared)["HasOptedOutOfEmail"]
