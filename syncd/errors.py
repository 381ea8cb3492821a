"""What can go wrong, named by what happens next.

SyncdError
├── ConfigError     nothing starts: the configuration is wrong; every problem at once        (exit 2)
├── Unreadable      this delivery is no event: kept whole in quarantine
├── StoreError      the store cannot be used now: locked, full, or its schema is another     (exit 3)
└── SalesforceError
    ├── Retriable   later, by itself, with back-off
    │   └── BudgetSpent   not sent at all: as soon as calls of the last 24 hours are free again
    ├── Rejected    this record only; kept with Salesforce's words until a person looks
    └── Fatal       stop the run, tell a person, keep everything                             (exit 3)
        └── Refused     this call as it is; with fewer rows or fields it may be taken
"""

from __future__ import annotations


class SyncdError(Exception):
    """The root. The text of every subclass is meant for an operator and holds no secret and no address."""


class ConfigError(SyncdError):
    """All that is wrong with the configuration, each problem with the place and the line to write."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class Unreadable(SyncdError):  # noqa: N818 - named, as its siblings, by what it says of the delivery
    """The delivery cannot be read as an event; the text is the reason shown in `syncd quarantine`."""


class StoreError(SyncdError):
    """The store cannot take or give anything now."""


class Busy(StoreError):  # noqa: N818
    """Another run holds the lease."""


class SalesforceError(SyncdError):
    """Salesforce did not do what was asked. `code` is Salesforce's, or one of ours in lower case."""

    def __init__(self, code: str, words: str = "") -> None:
        self.code = code
        self.words = words
        super().__init__(f"{code}: {words}" if words else code)


class Retriable(SalesforceError):  # noqa: N818
    """Likely to pass. `uncertain` says that Salesforce may have done the work all the same."""

    def __init__(self, code: str, words: str = "", *, uncertain: bool = False) -> None:
        super().__init__(code, words)
        self.uncertain = uncertain


class BudgetSpent(Retriable):
    """`[salesforce] daily_budget` has no call left for this. `until`: when there is one again, in ms."""

    def __init__(self, words: str, until: int) -> None:
        super().__init__("budget", words)
        self.until = until


class Rejected(SalesforceError):  # noqa: N818
    """This record, as it is, will not be taken; the others go on."""


class Fatal(SalesforceError):  # noqa: N818
    """No further call makes sense until a person has changed something."""


class Refused(Fatal):
    """Salesforce takes nothing of this call as it is written, and nothing of it was done."""
