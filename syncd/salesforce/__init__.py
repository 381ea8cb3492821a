"""The only place that knows Salesforce: `Crm` is what a run needs of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from syncd.salesforce.bulk import Bulk, Result
from syncd.salesforce.follow import Reading, follow
from syncd.salesforce.login import LEGACY_WARNING
from syncd.salesforce.lookup import Lookup
from syncd.salesforce.records import READ_A_CALL, UNSEEN, WRITE_A_CALL, Records, Row
from syncd.salesforce.session import Session
from syncd.salesforce.tasks import Found, Tasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from syncd.config import Settings
    from syncd.model import Move

__all__ = ["READ_A_CALL", "UNSEEN", "WRITE_A_CALL", "Bulk", "Crm", "Found", "Reading", "Result", "Row"]


class Crm:
    """One client for one thread. Connects at the first call. Every method raises Retriable or Fatal."""

    def __init__(self, settings: Settings) -> None:
        if settings.salesforce.auth == "password":
            structlog.get_logger().warning(LEGACY_WARNING)
        self.session = Session(settings.salesforce, settings.secrets)
        fields = {name: getattr(settings.fields, name) for name in ("Contact", "Lead", "Account")}
        self.records = Records(self.session, fields)
        self.lookup = Lookup(self.session, self.records, settings.mapping, fields)
        self.tasks = Tasks(self.session, settings.activities.external_id_field)
        self.bulk = Bulk(self.session, self.tasks)

    def read(self, ids: Iterable[str], remembered: Mapping[str, Move]) -> Reading:
        """These records, or what they have become; `remembered`: where ids are known to lead."""
        return follow(self.records, ids, remembered)
