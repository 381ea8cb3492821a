"""One case that cannot be thought through must not keep the others from being done."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import structlog

from syncd.errors import SyncdError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from syncd.engine.context import Context, Summary
    from syncd.model import Case, Subject

T = TypeVar("T")


@dataclass
class Guard:
    """Of one page: who fails is put off, logged and counted. `fallen` holds their subjects' ids."""

    c: Context
    said: Summary
    fallen: set[int] = field(default_factory=set)

    def cases(self, subjects: Sequence[Subject]) -> list[Case]:
        """Those whose facts can be read."""
        spoilt: dict[int, Exception] = {}
        found = self.c.work.cases(subjects, spoilt)
        for subject in subjects:
            if subject.id in spoilt:
                self._put_off(subject, spoilt[subject.id])
        return found

    def standing(self, cases: Iterable[Case]) -> list[Case]:
        return [case for case in cases if case.subject.id not in self.fallen]

    def think(self, case: Case, of: Callable[[Case], T]) -> T | None:
        """What `of` says of the case; None if it failed in a way nobody thought of."""
        try:
            return of(case)
        except SyncdError:
            raise
        except Exception as error:
            self._put_off(case.subject, error)
            return None

    def refused(self, subjects: Iterable[Subject], why: str) -> None:
        """They wait for something that Salesforce refuses."""
        for subject in subjects:
            self._later(subject)
            self.said.trouble(why)

    def _put_off(self, subject: Subject, error: Exception) -> None:
        self._later(subject)
        self.said.trouble(f"{type(error).__name__} while planning; see the log, and report it")
        # not the error's own text: it may hold an address
        structlog.get_logger().error(
            "a case could not be planned",
            subject=subject.id,
            error=type(error).__name__,
            traceback="".join(traceback.format_tb(error.__traceback__)),
        )

    def _later(self, subject: Subject) -> None:
        self.fallen.add(subject.id)
        self.said.failed += 1
        self.c.work.failed([(subject.id, self.c.retry_at(subject.attempts))], self.c.now())
