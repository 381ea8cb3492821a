"""A company keeps bounces and opt-outs in other fields from now on: that these are empty is nobody's word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.config import Settings
from syncd.salesforce import Crm
from syncd.sandbox import Org
from tests.conftest import Syncd
from tests.factories import ADDRESS, payload

USER_UNKNOWN = "550 5.1.1 user unknown"
OTHERS = {"opted_out": "No_Mail__c", "bounce_date": "Bounced_On__c", "bounce_reason": "Bounced_For__c"}


@pytest.fixture
def contact(org: Org) -> str:
    org.add_field("Contact", "No_Mail__c", type="boolean")
    org.add_field("Contact", "Bounced_On__c", type="datetime", length=0)
    org.add_field("Contact", "Bounced_For__c", type="string", length=255)
    return org.add("Contact", LastName="Durand", Email=ADDRESS)


@pytest.mark.parametrize("changed", [{"opted_out"}, {"bounce_reason"}, set(OTHERS)])
def test_what_was_kept_in_the_usual_ones_is_written_to_the_new_ones(
    syncd: Syncd, configured: Callable[..., Settings], org: Org, contact: str, changed: set[str]
) -> None:
    syncd.receive(payload("hard_bounce", whId=contact), payload("unsubscribe", 1, whId=contact))
    syncd.run()
    syncd.settings = configured(fields={"Contact": {role: OTHERS[role] for role in changed}})
    syncd.crm = Crm(syncd.settings)
    for _ in range(2):
        syncd.wake()
        syncd.run()
        syncd.later(minutes=1)
    there = org.get(contact)
    assert {role: bool(there[name]) for role, name in OTHERS.items()} == {role: role in changed for role in OTHERS}
    assert not any(plan.decisions for plan in syncd.plans)
    assert (there["EmailBouncedReason"], there["HasOptedOutOfEmail"]) == (USER_UNKNOWN, True)
    # and there, too, a person's word stands
    org.edit(contact, **dict.fromkeys([OTHERS["bounce_date"], OTHERS["bounce_reason"], "EmailBouncedDate"]))
    org.edit(contact, EmailBouncedReason=None, No_Mail__c=False, HasOptedOutOfEmail=False)
    syncd.wake()
    syncd.run()
    assert [d.aspect.value for plan in syncd.plans for d in plan.decisions] == ["invalid", "opted_out"]
    assert not any(org.get(contact)[name] for name in (*OTHERS.values(), "EmailBouncedReason", "HasOptedOutOfEmail"))
