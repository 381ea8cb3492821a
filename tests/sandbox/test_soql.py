from typing import Any

import pytest

from syncd.sandbox import Org
from tests.sandbox.conftest import Api

PEOPLE: tuple[dict[str, Any], ...] = (
    {"LastName": "Durand", "FirstName": "Léa", "Email": "lea@example.com", "EmailBouncedDate": "2026-11-20T10:00:00Z"},
    {"LastName": "O'Neil", "FirstName": "Hugo", "Email": "hugo_o@example.com", "HasOptedOutOfEmail": True},
    {"LastName": "100% Moreau", "FirstName": "Manon", "Birthdate": "1990-02-03"},
    {"LastName": "back\\slash", "EmailBouncedDate": "2026-11-24T10:00:00Z"},
)


@pytest.fixture
def people(org: Org) -> list[str]:
    return [org.add("Contact", **person) for person in PEOPLE]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Email = 'LEA@example.com'", [0]),
        ("Email != 'lea@example.com'", [1, 2, 3]),
        ("Email <> 'lea@example.com'", [1, 2, 3]),
        ("Email = null", [2, 3]),
        ("Email != null", [0, 1]),
        ("Email = ''", [2, 3]),
        ("Email IN ('lea@example.com', 'HUGO_O@example.com')", [0, 1]),
        ("Email NOT IN ('lea@example.com')", [1, 2, 3]),
        ("Email LIKE '%@example.com'", [0, 1]),
        ("Email LIKE '___@example.com'", [0]),
        (r"Email LIKE 'hugo\_%'", [1]),
        (r"Email LIKE 'lea\_%'", []),
        (r"LastName LIKE '100\%%'", [2]),
        (r"LastName = 'O\'Neil'", [1]),
        (r"LastName = 'back\\slash'", [3]),
        ("LastName > 'd' AND LastName < 'e'", [0]),
        ("LastName >= 'durand' AND LastName <= 'Durand'", [0]),
        ("HasOptedOutOfEmail = TRUE", [1]),
        ("HasOptedOutOfEmail = false AND Email = null", [2, 3]),
        ("EmailBouncedDate > 2026-11-20T10:00:00Z", [3]),
        ("EmailBouncedDate >= 2026-11-20T11:00:00+01:00", [0, 3]),
        ("EmailBouncedDate = 2026-11-20T10:00:00.000+0000", [0]),
        ("EmailBouncedDate < 2026-11-24T10:00:00Z", [0]),
        ("Birthdate = 1990-02-03", [2]),
        ("Birthdate < 1990-02-03", []),
        ("(Email = null OR HasOptedOutOfEmail = true) AND LastName != 'Durand'", [1, 2, 3]),
        ("Email = null AND (FirstName = 'Manon' OR FirstName = 'Hugo')", [2]),
        ("NOT Email = null", [0, 1]),
        ("NOT (Email = null OR FirstName = 'Hugo')", [0]),
        ("(NOT Email LIKE 'lea%') AND Email != null", [1]),
    ],
)
def test_conditions_find_the_right_people(api: Api, people: list[str], where: str, found: list[int]) -> None:
    assert api.find(f"WHERE {where}") == [people[number] for number in found]
    counted = api.query(f"select count() from contact where {where}")
    assert counted == {"totalSize": len(found), "done": True, "records": []}


def test_ids_of_15_and_18_characters_are_the_same_and_case_counts(api: Api, people: list[str]) -> None:
    assert api.find(f"WHERE Id IN ('{people[0]}', '{people[1][:15]}', '{people[0]}')") == people[:2]
    refused = api.call("GET", "query", 400, params={"q": "SELECT Id FROM Contact WHERE Id = 'nonsense'"})
    assert refused[0]["errorCode"] == "INVALID_QUERY_FILTER_OPERATOR"


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("LastName", [2, 3, 0, 1]),
        ("LastName DESC", [1, 0, 3, 2]),
        ("FirstName, LastName", [3, 1, 0, 2]),
        ("FirstName NULLS LAST", [1, 0, 2, 3]),
        ("HasOptedOutOfEmail DESC, LastName ASC LIMIT 2", [1, 2]),
    ],
)
def test_rows_come_in_the_order_asked_for(api: Api, people: list[str], order: str, found: list[int]) -> None:
    assert api.find(f"ORDER BY {order}") == [people[number] for number in found]


def test_only_the_fields_asked_for_are_shown_by_their_right_names(api: Api, people: list[str]) -> None:
    (record,) = api.query("SELECT lastname, email FROM contact WHERE FirstName = 'Léa'")["records"]
    url = f"/services/data/v66.0/sobjects/Contact/{people[0]}"
    assert record == {
        "attributes": {"type": "Contact", "url": url},
        "LastName": "Durand",
        "Email": "lea@example.com",
    }


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("", "MALFORMED_QUERY"),
        ("SELECT FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email IN ()", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = 'it's'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = 'open", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE a = 'x' AND b = 'y' OR c = 'z'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE (Email = 'x'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact LIMIT x", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact; DELETE", "MALFORMED_QUERY"),
        ("SELECT Id, id FROM Contact", "MALFORMED_QUERY"),
        ("SELECT MAX(Id) FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact GROUP BY Id", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE CreatedDate > LAST_WEEK", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE CreatedDate > 2026-02-30T00:00:00Z", "MALFORMED_QUERY"),
        ("SELECT Nope FROM Contact", "INVALID_FIELD"),
        ("SELECT Owner.Name FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Nope = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Email = 7", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE EmailBouncedDate > '2026-11-20T10:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE EmailBouncedDate > 2026-11-20", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Birthdate LIKE '1990%'", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE Description LIKE '%x%'", "INVALID_FIELD"),
        ("SELECT Id FROM Task ORDER BY Description", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
    ],
)
def test_what_can_not_be_answered_is_refused(api: Api, soql: str, code: str) -> None:
    (error,) = api.call("GET", "query", 400, params={"q": soql})
    assert error["errorCode"] == code
    assert "fields" not in error


def test_a_long_text_can_not_be_filtered_in_salesforces_words(api: Api) -> None:
    (error,) = api.call("GET", "query", 400, params={"q": "SELECT Id FROM Task WHERE Description = 'x'"})
    assert error["message"].endswith("\nfield 'Description' can not be filtered in a query call")


def test_query_hides_deleted_and_archived_rows_and_query_all_shows_them(api: Api, org: Org) -> None:
    live, archived, deleted = org.add("Task"), org.add("Task", IsArchived=True), org.add("Task")
    org.delete(deleted)
    soql = "SELECT Id, IsDeleted FROM Task"
    assert [row["Id"] for row in api.query(soql)["records"]] == [live]
    assert [row["Id"] for row in api.query(soql, "queryAll")["records"]] == [live, archived, deleted]


def test_the_statuses_of_tasks_say_which_are_closed(api: Api) -> None:
    answer = api.query("SELECT ApiName FROM TaskStatus WHERE IsClosed = true ORDER BY SortOrder LIMIT 1")
    assert [row["ApiName"] for row in answer["records"]] == ["Completed"]
    first = api.query("SELECT MasterLabel FROM TaskStatus WHERE IsDefault = true")
    assert [row["MasterLabel"] for row in first["records"]] == ["Not Started"]


def test_a_long_answer_comes_in_pages(api: Api, org: Org) -> None:
    ids = [org.add("Contact", LastName=f"N{number}") for number in range(450)]
    headers = {"Sforce-Query-Options": "batchSize=200"}
    page = api.call("GET", "query", params={"q": "SELECT Id FROM Contact"}, headers=headers)
    found = page["records"]
    assert (page["totalSize"], page["done"], len(found)) == (450, False, 200)
    while not page["done"]:
        answer = api.get(api.url + page["nextRecordsUrl"], timeout=10)
        page = answer.json()
        found += page["records"]
    assert [row["Id"] for row in found] == ids
    assert "nextRecordsUrl" not in page
    assert [call.rows for call in org.calls] == [200, 200, 50]


@pytest.mark.parametrize("locator", ["0r8Sb0000000009IAA-200", "nonsense", "0r8Sb0000000001IAA-x"])
def test_an_unknown_locator_is_refused(api: Api, locator: str) -> None:
    assert api.call("GET", f"query/{locator}", 400)[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_a_uri_that_is_too_long_is_refused(api: Api) -> None:
    soql = "SELECT Id FROM Contact WHERE Email IN ('" + "a" * 16_400 + "')"
    assert api.get(f"{api.base}query", params={"q": soql}, timeout=10).status_code == 414
