"""How Salesforce says no: to one record of a call, or to the call as a whole."""

from typing import Any


class RowError(Exception):
    """One record is refused; the others of the call go on. In collections the key of the code is `statusCode`."""

    def __init__(self, code: str, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.fields = code, message, list(fields)

    def in_collection(self) -> dict[str, Any]:
        return {"statusCode": self.code, "message": self.message, "fields": self.fields}


class CallError(Exception):
    """The whole call is refused. The key of the code is `errorCode`; `fields` is absent unless it is about fields."""

    def __init__(self, status: int, code: str, message: str, fields: list[str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.fields = status, code, message, fields

    @classmethod
    def of_row(cls, error: RowError) -> "CallError":
        """A row's refusal as the answer of a single-record call (recorded: restforce-db, 404 ENTITY_IS_DELETED)."""
        status = 404 if error.code in ("ENTITY_IS_DELETED", "NOT_FOUND") else 400
        return cls(status, error.code, error.message, error.fields)

    def body(self) -> list[dict[str, Any]]:
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            error["fields"] = self.fields
        return [error]


def not_found() -> CallError:
    """Recorded: CumulusCI, an unknown sObject in the URL."""
    return CallError(404, "NOT_FOUND", "The requested resource does not exist")
