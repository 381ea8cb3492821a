"""The only place that knows SQL: ports for whoever receives, for a run, for what it writes, and for people."""

from __future__ import annotations

from syncd.store.alarms import Alarms, Message, situation
from syncd.store.backup import COPIED_AT, Watched, back_up, watch_backup
from syncd.store.calls import Calls
from syncd.store.chain import Chain
from syncd.store.choice import Choice, Chosen
from syncd.store.desk import Desk
from syncd.store.histories import Histories
from syncd.store.holds import PAUSED_SINCE, Hold, Holds
from syncd.store.inbox import Inbox, Unread
from syncd.store.jobs import Job, Jobs, JobState
from syncd.store.journal import Intent, Journal, Outcome
from syncd.store.lists import Filter, Lists
from syncd.store.preview import Preview
from syncd.store.sqlite import migrate, open_store, pending_migrations
from syncd.store.undoing import Undoing, Wanted
from syncd.store.work import Work

__all__ = [
    "COPIED_AT",
    "PAUSED_SINCE",
    "Alarms",
    "Calls",
    "Chain",
    "Choice",
    "Chosen",
    "Desk",
    "Filter",
    "Histories",
    "Hold",
    "Holds",
    "Inbox",
    "Intent",
    "Job",
    "JobState",
    "Jobs",
    "Journal",
    "Lists",
    "Message",
    "Outcome",
    "Preview",
    "Undoing",
    "Unread",
    "Wanted",
    "Watched",
    "Work",
    "back_up",
    "migrate",
    "open_store",
    "pending_migrations",
    "situation",
    "watch_backup",
]
