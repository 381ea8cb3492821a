"""The client library that syncd uses finds a Salesforce here."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed, SalesforceExpiredSession

from syncd.sandbox import Org, Sandbox


class Detour(HTTPAdapter):
    """What goes to a login host of Salesforce reaches the sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self.address = sandbox.address

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        assert request.url is not None
        request.url = request.url.replace("login.salesforce.com", self.address, 1)
        return super().send(request, *args, **kwargs)


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        made.verify = str(sandbox.ca_bundle)
        made.mount("https://login.salesforce.com", Detour(sandbox))
        yield made


@pytest.fixture
def salesforce(sandbox: Sandbox, session: requests.Session) -> Salesforce:
    return Salesforce(
        username=sandbox.username,
        consumer_key=sandbox.consumer_key,
        privatekey_file=str(sandbox.private_key),
        session=session,
        version="66.0",
    )


def test_it_logs_in_by_jwt_reads_and_writes(salesforce: Salesforce, org: Org, contact: str) -> None:
    records = [{"attributes": {"type": "Contact"}, "id": contact, "HasOptedOutOfEmail": True}]
    answer = salesforce.restful("composite/sobjects", method="PATCH", json={"records": records})
    assert answer == [{"id": contact, "success": True, "errors": []}]
    found = salesforce.query_all("SELECT Id, HasOptedOutOfEmail FROM Contact")
    assert [(row["Id"], row["HasOptedOutOfEmail"]) for row in found["records"]] == [(contact, True)]
    assert salesforce.api_usage["api-usage"].used == org.api_usage
    described = salesforce.restful("sobjects/Contact/describe")
    assert described is not None
    assert described["keyPrefix"] == "003"
    assert salesforce.limits()["DailyApiRequests"]["Max"] == org.daily_limit


def test_it_follows_the_pages_of_a_query(salesforce: Salesforce, org: Org) -> None:
    for number in range(2_001):
        org.add("Contact", LastName=f"N{number}")
    assert sum(1 for _ in salesforce.query_all_iter("SELECT Id FROM Contact")) == 2_001
    assert [call.rows for call in org.calls[1:]] == [2_000, 1]


def test_it_logs_in_again_when_its_session_has_expired(salesforce: Salesforce, org: Org) -> None:
    org.expire_sessions()
    salesforce.limits()
    assert [call.status for call in org.calls] == [200, 401, 200, 200]


def test_it_gives_up_when_logins_are_revoked(salesforce: Salesforce, org: Org) -> None:
    org.expire_sessions()
    org.revoke_logins("invalid_app_access", "user is not admin approved to access this app")
    with pytest.raises(SalesforceAuthenticationFailed, match="user is not admin approved"):
        salesforce.limits()


def test_a_given_session_id_opens_the_api_until_it_expires(
    sandbox: Sandbox, session: requests.Session, org: Org
) -> None:
    salesforce = Salesforce(instance_url=sandbox.url, session_id=sandbox.session_id(), session=session, version="66.0")
    salesforce.limits()
    org.expire_sessions()
    with pytest.raises(SalesforceExpiredSession):
        salesforce.limits()
