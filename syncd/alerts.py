"""Messages to people, by Apprise: mail, chat, pager, whatever `[alerts] urls` names.

The URLs hold passwords. They are never shown or logged, and what Apprise itself would log of them is kept quiet.
Addresses in what Salesforce or a mail server said are masked: these messages go through hands that are none of ours.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncd.masks import masked
from syncd.texts import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

GOOD, BAD = "success", "failure"
"""What a message is about; services show it by colour or sign."""


@dataclass(frozen=True, slots=True)
class Sent:
    """`name`: which URL, without its secrets. `problem` is empty when the service took the message."""

    name: str
    problem: str = ""


def send(urls: Sequence[str], title: str, body: str, mood: str = BAD) -> list[Sent]:
    """To every URL; one that fails keeps no other from being tried. Takes seconds where a service does not answer."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    title, body = printable(masked(title)), printable_lines(masked(body))  # a title is a mail's header
    return [
        Sent(f"{number}. {url.partition(':')[0]}://…", _problem(url, title, body, mood))
        for number, url in enumerate(urls, 1)
    ]


def _problem(url: str, title: str, body: str, mood: str) -> str:
    from apprise import Apprise, NotifyType  # takes a quarter of a second, and most commands never need it

    service = Apprise.instantiate(url, suppress_exceptions=True)
    if service is None:
        return "Apprise does not know this kind of URL"
    try:
        taken = service.notify(body=body, title=title, notify_type=NotifyType(mood))
    except Exception as error:  # whatever a service's library raises: its text may quote the URL
        return f"failed: {type(error).__name__}"
    return "" if taken else "the service did not take it, or could not be reached"
