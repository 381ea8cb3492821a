"""The kinds of values that keys hold, and what is said of a wrong one.

No message repeats the text of a URL or of free text: someone may have pasted a password into it.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address
from pathlib import Path
from string import Formatter
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator

from syncd.config.nearest import nearest

SQLITE = "sqlite:///"
PLACEHOLDERS = ("subject", "campaign", "send")
LONGEST = timedelta(days=366)

_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "min": 60_000, "s": 1000, "ms": 1}
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|min|m|h|d)")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NOTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class WrongValueError(ValueError):
    """What is wrong with a value, and the one to write where the default is no good answer."""

    def __init__(self, reason: str, write: object = None) -> None:
        super().__init__(reason)
        self.write = write


def wrong(reason: str, write: object = None) -> WrongValueError:
    return WrongValueError(reason, write)


def parse_duration(text: str) -> timedelta:
    """A whole number with its unit: 500ms, 60s, 15m or 15min, 24h, 7d."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a duration")
    return timedelta(milliseconds=int(match[1]) * _UNITS[match[2]])


def format_duration(duration: timedelta) -> str:
    """A text that `parse_duration` reads as this duration (to the millisecond): 24h and 60s, not 1d and 1m."""
    milliseconds = duration // timedelta(milliseconds=1)
    for unit, size in _UNITS.items():
        count, rest = divmod(milliseconds, size)
        if not rest and (count > 1 or unit == "s"):
            return f"{count}{unit}"
    return f"{milliseconds}ms"


_TOO_SHORT_OR_LONG = f"must be longer than nothing and at most {format_duration(LONGEST)}"


def _duration(value: object) -> timedelta:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise _bare(value, _as_seconds(value))
    if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value):
        raise _bare(value, _as_seconds(int(value)))
    if isinstance(value, str):
        try:
            value = parse_duration(value)
        except ValueError:
            raise wrong("is no duration: a whole number with its unit (ms, s, m, h or d), in quotes") from None
    if not isinstance(value, timedelta):
        raise wrong("must be a duration in quotes: a whole number with its unit (ms, s, m, h or d)")
    if not timedelta(0) < value <= LONGEST:
        raise wrong(_TOO_SHORT_OR_LONG)
    return value


def _as_seconds(number: float) -> str | None:
    """As whoever left out the unit meant it most likely; None if that is no duration either."""
    return format_duration(timedelta(seconds=number)) if 0.001 <= number <= LONGEST.total_seconds() else None


def _bare(value: object, meant: str | None) -> WrongValueError:
    if meant is None:
        return wrong(f"is {value}; it {_TOO_SHORT_OR_LONG}, with its unit (ms, s, m, h or d), in quotes")
    return wrong(f"is {value}, without a unit (ms, s, m, h or d); a duration stands in quotes", meant)


@dataclass(frozen=True, slots=True)
class Bind:
    """Where to listen. An empty host means every address of the machine, port 0 one that the system picks."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def _is_port(text: str) -> bool:
    return re.fullmatch("[0-9]{1,5}", text) is not None and int(text) <= 65535


def _bind(value: object) -> Bind:
    if isinstance(value, Bind):
        return value
    if isinstance(value, int) and 0 <= value <= 65535 and not isinstance(value, bool):
        raise wrong("must be an address and a port, in quotes", f"127.0.0.1:{value}")
    if not isinstance(value, str):
        raise wrong("must be an address and a port, in quotes")
    host, colon, port = value.rpartition(":")
    if _is_ipv6(host) or _is_ipv6(value):
        written = f"[{host}]:{port}" if _is_ipv6(host) and _is_port(port) else f"[{value}]:8080"
        raise wrong("must have its IPv6 address in brackets, with the port behind them", written)
    if not colon or not _is_port(port):
        raise wrong("must end in a colon and a port from 0 to 65535")
    if host.startswith("[") and host.endswith("]") and _is_ipv6(host[1:-1]):
        return Bind(host[1:-1], int(port))
    if host and not _HOST_NAME.fullmatch(host):
        raise wrong("must be an address and a port: 127.0.0.1:8080, [::1]:8080, or :8080 for every address")
    return Bind(host, int(port))


def is_host(text: str) -> bool:
    host, colon, port = text.partition(":")
    return _HOST_NAME.fullmatch(host) is not None and (not colon or _is_port(port))


def _host(value: str) -> str:
    if value and not is_host(value):
        bare = value.partition("://")[2].partition("/")[0]
        raise wrong("must be a host name alone, without https:// and without a path", bare if is_host(bare) else None)
    return value


def _instance_url(value: str) -> str:
    """Without a trailing slash, as paths are put behind it."""
    scheme, _, host = value.rstrip("/").partition("://")
    if value and (scheme != "https" or not is_host(host)):
        raise wrong("must be https:// and a host name, nothing else", f"https://{host}" if is_host(host) else None)
    return value.rstrip("/")


def _store_url(value: str) -> str:
    if not value.startswith(SQLITE):
        raise wrong(f"must begin with {SQLITE} (four slashes before an absolute path); no other store is supported")
    path = value.removeprefix(SQLITE)
    if not path or path.endswith("/") or path.startswith(":") or set(path) & set("?#\0"):
        raise wrong("must name a file, without parameters; events would not survive in memory")
    return value


def _ca_bundle(value: object) -> Path | None:
    if value == "" or value is None:
        return None
    if not isinstance(value, str | Path):
        raise wrong("must be the path of a file, in quotes")
    try:
        found = Path(value).is_file()
    except (OSError, ValueError):
        found = False
    if not found:
        raise wrong(
            f"names {value}, but syncd sees no such file; empty means the usual authorities",
            "",
        )
    return Path(value)


def _directory(value: object) -> Path:
    if not isinstance(value, str | Path) or value == "":
        raise wrong("must be the path of a directory, in quotes")
    return Path(value)


def _api_name(value: str) -> str:
    if not _API_NAME.fullmatch(value):
        raise wrong("must be the API name of a Salesforce field (letters, digits and _, such as Email or Bounced__c)")
    return value


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (LookupError, ValueError, OSError):
        best = nearest(value, available_timezones())
        meant = f"; did you mean {best}?" if best else ", such as Europe/Paris"
        raise wrong(f"is no time zone of the IANA list{meant}", best) from None
    return value


def _subject(value: str) -> str:
    known = " ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    try:
        parts = list(Formatter().parse(value))
    except ValueError:
        raise wrong(f"has a brace that stands alone; the placeholders are {known}, and {{{{ writes a brace") from None
    for _, name, spec, conversion in parts:
        if name is not None and (name not in PLACEHOLDERS or spec or conversion):
            shown = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            raise wrong(f"{{{shown}}} is no placeholder; there are {known}, without more between the braces")
    return value


def _notifier_url(value: str) -> str:
    if not _NOTIFIER.fullmatch(value):
        raise wrong("must be a URL that Apprise knows, such as mailto://… or slack://…; see `syncd alert --help`", "")
    return value


def _sequence(value: object) -> object:
    """A TOML array becomes a tuple, since settings don't change; anything else is left for the type to refuse."""
    return tuple(value) if isinstance(value, list) else value


def _daily_budget(value: object) -> str | int:
    """A share of the org's limit as text with its %, or a whole number of calls, which an environment has as text."""
    if isinstance(value, str) and re.fullmatch("[1-9][0-9]{0,8}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if isinstance(value, str) and re.fullmatch(r"[1-9][0-9]?%|100%", value):
        return value
    raise wrong(
        'must be a share of the org\'s limit, "1%" to "100%" in quotes, or a number of calls from 1', _share(value)
    )


def _share(value: object) -> str:
    """What `50 %` and 0.5 mean, else the default."""
    if isinstance(value, float) and 0.01 <= value <= 1:
        return f"{value:.0%}"
    spaced = re.fullmatch(r"\s*([1-9][0-9]?|100)\s*%\s*", value) if isinstance(value, str) else None
    return f"{spaced[1]}%" if spaced else "20%"


def _optional_api_name(value: str) -> str:
    return _api_name(value) if value else value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
ListenAddress = Annotated[Bind, BeforeValidator(_bind)]
Host = Annotated[str, AfterValidator(_host)]
InstanceUrl = Annotated[str, AfterValidator(_instance_url)]
StoreUrl = Annotated[str, AfterValidator(_store_url)]
CaBundle = Annotated[Path | None, BeforeValidator(_ca_bundle)]
Directory = Annotated[Path, BeforeValidator(_directory)]
ApiName = Annotated[str, AfterValidator(_api_name)]
OptionalApiName = Annotated[str, AfterValidator(_optional_api_name)]
Timezone = Annotated[str, AfterValidator(_timezone)]
SubjectTemplate = Annotated[str, AfterValidator(_subject)]
NotifierUrl = Annotated[str, AfterValidator(_notifier_url)]
DailyBudget = Annotated[str | int, BeforeValidator(_daily_budget)]
Sequence = BeforeValidator(_sequence)
