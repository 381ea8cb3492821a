"""Configuration: one TOML file, overridden by SYNCD_SECTION__KEY, checked once and completely.

Relative paths in it (`secrets_dir`, `store.url`, `salesforce.ca_bundle`) start at the directory of the file, those from
the environment too, so that a command means the same whatever directory it is run in.
"""

from syncd.config.load import file_in_use, from_mapping, load, load_to_receive
from syncd.config.models import Settings
from syncd.config.secret_files import Secrets
from syncd.config.values import Bind, format_duration, parse_duration

__all__ = [
    "Bind", "Secrets", "Settings", "file_in_use", "format_duration", "from_mapping", "load", "load_to_receive",
    "parse_duration",
]  # fmt: skip
