"""The schema, as sqlite-utils migrations. Each entry is frozen once released; a change to the schema is a new entry.

Instants are INTEGER milliseconds UTC. STRICT, CHECK, UNIQUE and foreign keys keep the promises: Python may be wrong,
the row can't be. The receiver's path is one append to `events`; everything else belongs to the fold and the runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlite_utils.migrations import Migrations

from syncd.ids import record_id

if TYPE_CHECKING:
    from sqlite_utils.db import Database

migrations = Migrations("syncd")


@migrations()
def m001_facts(db: Database) -> None:
    """What was received: append-only, and a queue of what is not yet folded in.

    `fresh` is a queue and not an id cursor: it loses nothing when ids do not commit in order.
    """
    _execute(
        db,
        """CREATE TABLE events (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          key BLOB NOT NULL UNIQUE CHECK (length(key) = 17),  -- version, ms (6), blake2b (10): cheap, as by time
          at INTEGER NOT NULL, received_at INTEGER NOT NULL, word TEXT NOT NULL,
          kind TEXT NOT NULL CHECK (kind IN
            ('delivered','open','click','soft_bounce','hard_bounce','unsubscribe','complaint','unknown')),
          address TEXT NOT NULL, whid TEXT NOT NULL DEFAULT '',
          campaign TEXT NOT NULL DEFAULT '', send TEXT NOT NULL DEFAULT '', raw TEXT NOT NULL) STRICT""",
        "CREATE TABLE fresh (event_id INTEGER PRIMARY KEY REFERENCES events ON DELETE CASCADE) STRICT",
        "CREATE TRIGGER events_fresh AFTER INSERT ON events BEGIN INSERT INTO fresh VALUES (new.id); END",
        """CREATE TABLE quarantine (
          id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, received_at INTEGER NOT NULL, source TEXT NOT NULL,
          reason TEXT NOT NULL, body BLOB NOT NULL, resolved_at INTEGER) STRICT""",
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    )


@migrations()
def m002_subjects(db: Database) -> None:
    """Who the facts are about, and what is due.

    A claim clears `due_at`; whatever happens to a claimed subject sets it again; so nothing that comes during a run is
    forgotten when the claim is given back.
    """
    _execute(
        db,
        """CREATE TABLE runs (
          id INTEGER PRIMARY KEY, owner TEXT NOT NULL, cause TEXT NOT NULL, started_at INTEGER NOT NULL,
          heartbeat_at INTEGER NOT NULL, ended_at INTEGER,
          summary TEXT CHECK (summary IS NULL OR json_valid(summary))) STRICT""",
        # at most one run at a time
        "CREATE UNIQUE INDEX runs_going ON runs ((1)) WHERE ended_at IS NULL",
        """CREATE TABLE subjects (
          id INTEGER PRIMARY KEY, sf_id TEXT UNIQUE CHECK (length(sf_id) = 18),
          object TEXT CHECK (object IN ('Contact','Lead','Account')), due_at INTEGER,
          attempts INTEGER NOT NULL DEFAULT 0, failing_since INTEGER, run_id INTEGER REFERENCES runs,
          CHECK ((sf_id IS NULL) = (object IS NULL))) STRICT""",
        "CREATE INDEX subjects_due ON subjects (due_at) WHERE due_at IS NOT NULL AND run_id IS NULL",
        "CREATE INDEX subjects_run ON subjects (run_id) WHERE run_id IS NOT NULL",
        """CREATE TABLE recipients (
          id INTEGER PRIMARY KEY, address TEXT NOT NULL, whid TEXT NOT NULL DEFAULT '',
          subject_id INTEGER NOT NULL REFERENCES subjects,
          matched TEXT NOT NULL DEFAULT 'no' CHECK (matched IN ('no','id','external_id','email')),
          looked_up_at INTEGER, lookups INTEGER NOT NULL DEFAULT 0, UNIQUE (address, whid)) STRICT""",
        "CREATE INDEX recipients_subject ON recipients (subject_id)",
        "CREATE INDEX recipients_whid ON recipients (whid) WHERE whid <> ''",
        "CREATE INDEX recipients_unmatched ON recipients (looked_up_at) WHERE matched = 'no' AND lookups > 0",
        """CREATE TABLE timeline (
          recipient_id INTEGER NOT NULL REFERENCES recipients, at INTEGER NOT NULL,
          event_id INTEGER NOT NULL REFERENCES events ON DELETE CASCADE,
          PRIMARY KEY (recipient_id, at, event_id)) STRICT, WITHOUT ROWID""",
        "CREATE INDEX timeline_event ON timeline (event_id)",
        """CREATE TABLE decisions (
          id INTEGER PRIMARY KEY, subject_id INTEGER NOT NULL REFERENCES subjects,
          aspect TEXT NOT NULL CHECK (aspect IN ('invalid','opted_out')),
          verdict TEXT NOT NULL CHECK (verdict IN ('undone','dropped','released','cleared_in_salesforce')),
          at INTEGER NOT NULL, through INTEGER NOT NULL, by TEXT NOT NULL, note TEXT NOT NULL DEFAULT '') STRICT""",
        "CREATE INDEX decisions_subject ON decisions (subject_id)",
    )


@migrations()
def m003_ledger(db: Database) -> None:
    """What syncd meant to write, what it wrote, saw and was answered."""
    _execute(
        db,
        """CREATE TABLE rules (
          id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, body TEXT NOT NULL CHECK (json_valid(body)),
          first_used INTEGER NOT NULL) STRICT""",
        """CREATE TABLE changes (
          id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs,
          subject_id INTEGER NOT NULL REFERENCES subjects, rules_id INTEGER NOT NULL REFERENCES rules,
          what TEXT NOT NULL CHECK (what IN ('mark','lift','opt_out','activity')),
          object TEXT NOT NULL, sf_id TEXT NOT NULL CHECK (length(sf_id) = 18),
          activity TEXT CHECK ((activity IS NOT NULL) = (what = 'activity')),  -- the ledger key of the activity
          before TEXT NOT NULL CHECK (json_valid(before)), after TEXT NOT NULL CHECK (json_valid(after)),
          why TEXT NOT NULL CHECK (json_valid(why)), through INTEGER NOT NULL,
          state TEXT NOT NULL CHECK (state IN
            ('intended','uncertain','done','rejected','superseded','found','refused')),
          intended_at INTEGER NOT NULL) STRICT""",
        "CREATE INDEX changes_subject ON changes (subject_id, id)",
        "CREATE INDEX changes_open ON changes (state, id) WHERE state IN ('intended','uncertain','rejected')",
        "CREATE INDEX changes_run ON changes (run_id, id)",
        "CREATE INDEX changes_intended ON changes (run_id, id) WHERE state = 'intended'",
        """CREATE TABLE receipts (
          id INTEGER PRIMARY KEY, change_id INTEGER NOT NULL REFERENCES changes, at INTEGER NOT NULL,
          ok INTEGER NOT NULL CHECK (ok IN (0,1)), sf_id TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '',
          words TEXT NOT NULL DEFAULT '',
          CHECK (ok = (code = ''))) STRICT""",
        "CREATE INDEX receipts_change ON receipts (change_id)",
        """CREATE TABLE activities (
          subject_id INTEGER NOT NULL REFERENCES subjects, key TEXT NOT NULL, token TEXT NOT NULL,
          task_id TEXT UNIQUE, digest BLOB,
          state TEXT NOT NULL CHECK (state IN ('intended','uncertain','known','gone','sealed')), not_before INTEGER,
          PRIMARY KEY (subject_id, key), CHECK (state <> 'known' OR task_id IS NOT NULL)) STRICT, WITHOUT ROWID""",
        "CREATE INDEX activities_unsure ON activities (not_before) WHERE state IN ('intended','uncertain')",
        "CREATE TABLE api_calls (hour INTEGER PRIMARY KEY, calls INTEGER NOT NULL) STRICT",
    )


@migrations()
def m004_holds_and_jobs(db: Database) -> None:
    """What the brake keeps back, jobs of the Bulk API, and the kinds and states of changes that come with them.

    A CHECK cannot be altered, so `changes` is made anew; whoever migrates switches foreign keys off meanwhile.
    """
    columns = (
        "id, run_id, subject_id, rules_id, what, object, sf_id, activity, before, after, why, through, state,"
        " intended_at"
    )
    _execute(
        db,
        """CREATE TABLE holds (
          id INTEGER PRIMARY KEY, by_what TEXT NOT NULL CHECK (by_what IN ('total','domain','send','text','shifted')),
          value TEXT NOT NULL, opened_at INTEGER NOT NULL,
          state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open','released','dropped')),
          decided_at INTEGER, decided_by TEXT NOT NULL DEFAULT '') STRICT""",
        "CREATE UNIQUE INDEX holds_open ON holds (by_what, value) WHERE state = 'open'",
        """CREATE TABLE jobs (
          id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs, sf_id TEXT UNIQUE, object TEXT NOT NULL,
          operation TEXT NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT""",
        """CREATE TABLE new_changes (
          id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs,
          subject_id INTEGER NOT NULL REFERENCES subjects, rules_id INTEGER NOT NULL REFERENCES rules,
          what TEXT NOT NULL CHECK (what IN ('mark','lift','opt_out','engagement','activity','undo')),
          object TEXT NOT NULL, sf_id TEXT NOT NULL CHECK (length(sf_id) = 18),
          activity TEXT CHECK ((activity IS NOT NULL) = (what = 'activity')),  -- the ledger key of the activity
          before TEXT NOT NULL CHECK (json_valid(before)), after TEXT NOT NULL CHECK (json_valid(after)),
          why TEXT NOT NULL CHECK (json_valid(why)), through INTEGER NOT NULL,
          state TEXT NOT NULL CHECK (state IN
            ('held','intended','uncertain','done','rejected','superseded','found','refused','dropped')),
          intended_at INTEGER NOT NULL, hold_id INTEGER REFERENCES holds, job_id INTEGER REFERENCES jobs,
          CHECK ((state = 'held') <= (hold_id IS NOT NULL))) STRICT""",
        f"INSERT INTO new_changes ({columns}) SELECT {columns} FROM changes",
        "DROP TABLE changes",
        "ALTER TABLE new_changes RENAME TO changes",
        "CREATE INDEX changes_subject ON changes (subject_id, id)",
        "CREATE INDEX changes_open ON changes (state, id) WHERE state IN ('held','intended','uncertain','rejected')",
        "CREATE INDEX changes_run ON changes (run_id, id)",
        "CREATE INDEX changes_intended ON changes (run_id, id) WHERE state = 'intended'",
        "CREATE INDEX changes_marks ON changes (intended_at) WHERE what = 'mark'",  # the brake's window
        "CREATE INDEX changes_hold ON changes (hold_id) WHERE hold_id IS NOT NULL",
        "CREATE INDEX changes_job ON changes (job_id) WHERE job_id IS NOT NULL",
    )


@migrations()
def m005_one_record(db: Database) -> None:
    """Which record a whId names however it is spelt, and where ids lead that are no longer records of their own.

    `names` is judged by spelling alone; whether whIds are ids here at all is the configuration's to say.
    """
    _execute(
        db,
        "ALTER TABLE recipients ADD COLUMN names TEXT CHECK (length(names) = 18)",
        "CREATE INDEX recipients_names ON recipients (names) WHERE names IS NOT NULL",
        # a record that was found and is gone since counts as well
        "DROP INDEX recipients_unmatched",
        "CREATE INDEX recipients_unmatched ON recipients (looked_up_at) WHERE lookups > 0",
        """CREATE TABLE moved (
          sf_id TEXT PRIMARY KEY CHECK (length(sf_id) = 18), to_id TEXT NOT NULL CHECK (length(to_id) = 18),
          how TEXT NOT NULL CHECK (how IN ('merged','converted','person')), seen_at INTEGER NOT NULL,
          CHECK (sf_id <> to_id)) STRICT, WITHOUT ROWID""",
        "CREATE INDEX moved_to ON moved (to_id)",
        # the record that it was said of, if that was merged into the subject's since
        "ALTER TABLE decisions ADD COLUMN sf_id TEXT NOT NULL DEFAULT ''",
    )
    found = db.execute("SELECT id, whid FROM recipients WHERE length(whid) IN (15, 18)").fetchall()
    named = [(record.id, recipient_id) for recipient_id, whid in found if (record := record_id(whid))]
    db.conn.executemany("UPDATE recipients SET names = ? WHERE id = ?", named)


@migrations()
def m006_jobs(db: Database) -> None:
    """What a Bulk job carries is found by record, and its subjects are found quickly."""
    _execute(
        db,
        "DROP INDEX changes_job",
        "CREATE INDEX changes_job ON changes (job_id, sf_id) WHERE job_id IS NOT NULL",
        "CREATE INDEX changes_carried ON changes (subject_id) WHERE job_id IS NOT NULL AND state = 'intended'",
        "CREATE INDEX jobs_unfinished ON jobs (id) WHERE state IN ('filling', 'open', 'closing')",
    )


@migrations()
def m007_alarms_and_totals(db: Database) -> None:
    """What needs a person, and what was counted: so that neither asks millions of events.

    `totals`, `hours` and `sends` are kept by the fold, in its transactions; nothing is ever taken away from them.
    `signs` are counts by hour of what leaves no row of its own.
    """
    folded = "FROM events e WHERE NOT EXISTS (SELECT 1 FROM fresh f WHERE f.event_id = e.id)"
    send = "CASE WHEN e.send <> '' THEN e.send ELSE e.campaign END"
    _execute(
        db,
        """CREATE TABLE alarms (
          id INTEGER PRIMARY KEY, key TEXT NOT NULL, words TEXT NOT NULL, advice TEXT NOT NULL,
          opened_at INTEGER NOT NULL, told_at INTEGER, over_at INTEGER, over_told_at INTEGER) STRICT""",
        "CREATE UNIQUE INDEX alarms_open ON alarms (key) WHERE over_at IS NULL",
        "CREATE INDEX alarms_untold ON alarms (id) WHERE over_told_at IS NULL",
        "CREATE TABLE signs (hour INTEGER NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,"
        " PRIMARY KEY (name, hour)) STRICT, WITHOUT ROWID",
        """CREATE TABLE totals (
          day INTEGER NOT NULL, kind TEXT NOT NULL, number INTEGER NOT NULL, usable INTEGER NOT NULL,
          PRIMARY KEY (day, kind)) STRICT, WITHOUT ROWID""",  # usable: with a whId that can name a record
        f"INSERT INTO totals SELECT e.at / 86400000, e.kind, count(*), sum(e.whid <> '') {folded} GROUP BY 1, 2",
        "CREATE TABLE hours (hour INTEGER PRIMARY KEY, number INTEGER NOT NULL) STRICT",
        f"INSERT INTO hours SELECT e.at / 3600000, count(*) {folded} GROUP BY 1",
        """CREATE TABLE sends (
          send TEXT PRIMARY KEY, campaign TEXT NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
          events INTEGER NOT NULL) STRICT, WITHOUT ROWID""",  # the sendId, or the campaignId where there is none
        f"INSERT INTO sends SELECT {send}, max(e.campaign), min(e.at), max(e.at), count(*) {folded}"
        " AND e.send || e.campaign <> '' GROUP BY 1",
        "CREATE INDEX sends_first ON sends (first_at)",
        "CREATE INDEX quarantine_received ON quarantine (received_at, resolved_at, reason)",  # bodies are not read
        "CREATE INDEX subjects_failing ON subjects (id) WHERE attempts > 0",
    )


@migrations()
def m008_mailed(db: Database) -> None:
    """Who was mailed with what, and whose record has another address: what the brake measures a wave against.

    Kept by the fold. An event that names no send and no campaign is not in it. `mailed` does not refer to recipients:
    an erasure would look through all of it for each.
    """
    key = "CASE WHEN e.send <> '' THEN 'send:' || e.send ELSE 'campaign:' || e.campaign END"
    domain = "substr(r.address, instr(r.address, '@') + 1)"
    _execute(
        db,
        "CREATE TABLE mailings (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT",
        """CREATE TABLE mailed (
          mailing_id INTEGER NOT NULL REFERENCES mailings, recipient_id INTEGER NOT NULL,
          PRIMARY KEY (mailing_id, recipient_id)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE mailed_domains (
          mailing_id INTEGER NOT NULL REFERENCES mailings, domain TEXT NOT NULL, recipients INTEGER NOT NULL,
          PRIMARY KEY (mailing_id, domain)) STRICT, WITHOUT ROWID""",
        "CREATE TABLE seen (kind TEXT PRIMARY KEY, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL) STRICT,"
        " WITHOUT ROWID",  # by event time
        f"INSERT INTO mailings (key) SELECT DISTINCT {key} FROM timeline t JOIN events e ON e.id = t.event_id"
        " WHERE e.send || e.campaign <> '' AND e.kind <> 'unknown'",
        f"INSERT OR IGNORE INTO mailed SELECT m.id, t.recipient_id FROM timeline t JOIN events e ON e.id = t.event_id"
        f" JOIN mailings m ON m.key = {key} WHERE e.send || e.campaign <> '' AND e.kind <> 'unknown'",
        f"INSERT INTO mailed_domains SELECT m.mailing_id, {domain}, count(*) FROM mailed m"
        " JOIN recipients r ON r.id = m.recipient_id GROUP BY 1, 2",
        "INSERT INTO seen SELECT e.kind, min(e.at), max(e.at) FROM timeline t JOIN events e ON e.id = t.event_id"
        " GROUP BY 1",
        # 0: the record has other addresses, when it was last read; no value: it was not read
        "ALTER TABLE recipients ADD COLUMN agrees INTEGER CHECK (agrees IN (0,1))",
        # few events are; the receiver's append pays for those alone
        "CREATE INDEX events_opt_outs ON events (received_at) WHERE kind IN ('unsubscribe','complaint')",
        "CREATE INDEX changes_refused ON changes (id) WHERE state = 'refused'",
        "CREATE INDEX changes_undo ON changes (id) WHERE what = 'undo'",
        "CREATE INDEX changes_send ON changes (json_extract(why, '$.send')) WHERE json_extract(why, '$.send') <> ''",
    )


@migrations()
def m009_erasure_and_retention(db: Database) -> None:
    """Who was forgotten, and which sends were pruned: what comes late for them is not taken for something new."""
    _execute(
        db,
        "CREATE TABLE forgotten (digest BLOB PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        """CREATE TABLE sealed (  -- sends that were pruned, by a digest
          recipient_id INTEGER NOT NULL REFERENCES recipients ON DELETE CASCADE, send BLOB NOT NULL,
          through INTEGER NOT NULL, PRIMARY KEY (recipient_id, send)) STRICT, WITHOUT ROWID""",
    )


@migrations()
def m010_blamed(db: Database) -> None:
    """Marks of bounces that blame who sends: few, and asked for by every look at the status."""
    _execute(
        db,
        "CREATE INDEX changes_blamed ON changes (id) WHERE what = 'mark' AND state = 'done'"
        " AND json_extract(why, '$.reason') IN ('blocked','content','policy','sender_auth','rate_limited','too_large')",
    )


@migrations()
def m011_repeats(db: Database) -> None:
    """How often an event came again and was dropped: a retry, or an import of what is stored already."""
    _execute(db, "ALTER TABLE events ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0")


def _execute(db: Database, *statements: str) -> None:
    for statement in statements:
        db.execute(statement)
