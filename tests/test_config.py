"""What an administrator may write, what is said of mistakes, and how secrets are kept."""

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from syncd.bounces import Reason
from syncd.config import Bind, Secrets, Settings, format_duration, from_mapping, load, parse_duration
from syncd.config.lines import Key, locate
from syncd.config.rule_sections import BounceReason, ByReasonSection
from syncd.config.schema import keys, sample, toml, variable
from syncd.errors import ConfigError
from syncd.model import SENDERS_FAULT, Rules, SoftBounceRule

EXAMPLE = Path(__file__).parent.parent / "config" / "syncd.example.toml"
LOGIN = {"username": "syncd@acme.example", "consumer_key": "3MVG9"}
LOGIN_TOML = '[salesforce]\nusername = "syncd@acme.example"\nconsumer_key = "3MVG9"\n'
TOKEN = "Zx3-nQ_8vLk2TtB7cRwYaP0sGd4H6jMe"


def settings(**sections: Any) -> Settings:
    return from_mapping({"salesforce": LOGIN} | sections)


def written(directory: Path, text: str) -> Path:
    path = directory / "syncd.toml"
    path.write_text(text)
    return path


def problems(path: Path, environ: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    return caught.value.problems


# TOML text from line 4 on, after a valid [salesforce]; the line of the mistake, its key, some of the words, the advice
MISTAKES = [
    (
        "[store]\nurll = 5",
        5,
        "store.urll",
        "did you mean store.url?",
        'write: url = "sqlite:////var/lib/syncd/syncd.db"',
    ),
    ('[store]\nurl = "postgresql://u:hunter2@db/x"', 5, "store.url", "must begin with sqlite:///", "write: url ="),
    ('[store]\nurl = "sqlite:///:memory:"', 5, "store.url", "must name a file", "write: url ="),
    ("[Store]", 4, "Store", "did you mean store?", "write: [store]"),
    ("[freins]\nenabled = true", 4, "freins", "unknown section", "do: delete it"),
    ("[brake]\nsend_share = 10", 5, "brake.send_share", "is 10", "write: send_share = 0.1"),
    ('[receiver]\nbind = "8080"', 5, "receiver.bind", "a port from 0 to 65535", 'bind = "127.0.0.1:8080"'),
    ("[receiver]\nbind = 9000", 5, "receiver.bind", "an address and a port", 'bind = "127.0.0.1:9000"'),
    ('[receiver]\nbind = "::1:9000"', 5, "receiver.bind", "in brackets", 'bind = "[::1]:9000"'),
    ('[receiver]\nbind = "a b:1"', 5, "receiver.bind", "127.0.0.1:8080", 'bind = "127.0.0.1:8080"'),
    ("[receiver]\ntrusted_proxys = 2", 5, "receiver.trusted_proxys", "trusted_proxies?", "write: trusted_proxies = 2"),
    ("[receiver]\ntrusted_proxies = true", 5, "receiver.trusted_proxies", "is true", "write: trusted_proxies = 0"),
    ('[receiver]\nmax_body_bytes = "1"', 5, "receiver.max_body_bytes", "a whole number", "max_body_bytes = 1048576"),
    ('[sync]\nmode = "Live"', 5, "sync.mode", 'must be "live" or "observe"', 'write: mode = "live"'),
    ("[sync]\nevery = 60", 5, "sync.every", "without a unit", 'write: every = "60s"'),
    ("[sync]\nevery = 1.5", 5, "sync.every", "is 1.5, without a unit", 'write: every = "1500ms"'),
    ("[sync]\nevery = -1", 5, "sync.every", "must be longer than nothing", 'write: every = "60s"'),
    ("[sync]\nevery = 0", 5, "sync.every", "must be longer than nothing", 'write: every = "60s"'),
    ("[sync]\nevery = nan", 5, "sync.every", "must be longer than nothing", 'write: every = "60s"'),
    ("[sync]\nevery = 1e30", 5, "sync.every", "at most 366d", 'write: every = "60s"'),
    ('[sync]\nevery = "1 hour"', 5, "sync.every", "is no duration", 'write: every = "60s"'),
    ('[sync]\nevery = "0s"', 5, "sync.every", "longer than nothing", 'write: every = "60s"'),
    ('daily_budget = "50 %"', 4, "salesforce.daily_budget", '"1%" to "100%"', 'write: daily_budget = "50%"'),
    ("daily_budget = 0.5", 4, "salesforce.daily_budget", '"1%" to "100%"', 'write: daily_budget = "50%"'),
    ('daily_budget = "120 %"', 4, "salesforce.daily_budget", '"1%" to "100%"', 'write: daily_budget = "20%"'),
    ("[sync]\nbatch_size = 2001", 5, "sync.batch_size", "must be 2000 or less", "write: batch_size = 2000"),
    (
        '[sync]\nsecrets_dir = "x"',
        5,
        "sync.secrets_dir",
        "above the first [section]",
        'secrets_dir = "/etc/syncd/secrets"',
    ),
    ('[fields.contact]\nemail = ["Email"]', 4, "fields.contact", "did you mean fields.Contact?", "[fields.Contact]"),
    ('[fields.Lead]\nemail = "Email"', 5, "fields.Lead.email", "a list in brackets", 'write: email = ["Email"]'),
    ("[fields.Lead]\nemail = []", 5, "fields.Lead.email", "must not be empty", 'write: email = ["Email"]'),
    (
        '[fields.Lead]\nopted_out = "Opt Out"',
        5,
        "fields.Lead.opted_out",
        "API name",
        'opted_out = "HasOptedOutOfEmail"',
    ),
    ('[rules]\ntimezone = "Europe/Pari"', 5, "rules.timezone", "Europe/Paris?", 'write: timezone = "Europe/Paris"'),
    ('[rules]\ntimezone = "Europe"', 5, "rules.timezone", "no time zone", "write: timezone ="),
    ("[rules]\nthreshold = 3", 5, "rules.threshold", "belongs under [rules.soft_bounce]", "threshold = 5"),
    (
        "[rules]\nsoft_bounce.threshold = 0",
        5,
        "rules.soft_bounce.threshold",
        "is 0",
        "write: soft_bounce.threshold = 5",
    ),
    ("rules = 3", 4, "salesforce.rules", "unknown key", "do: delete it"),
    ("[rules]\nsoft_bounce = 3", 5, "rules.soft_bounce", "must be a section", "[rules.soft_bounce]"),
    ('[activities]\non = [\n  "open",\n  "clik"]', 5, "activities.on", 'must be "open" or "click"', "write: on ="),
    ('[activities]\nsubject = "{subjet}"', 5, "activities.subject", "{subjet} is no", 'write: subject = "{subject}"'),
    ('[activities]\nsubject = "{"', 5, "activities.subject", "stands alone", 'write: subject = "{subject}"'),
    ('[activities]\nsubject = "{send.x}"', 5, "activities.subject", "{send.x} is no", 'write: subject = "{subject}"'),
]


@pytest.mark.parametrize(("text", "line", "key", "words", "advice"), MISTAKES, ids=[f"{m[2]}-{m[3]}" for m in MISTAKES])
def test_a_mistake_is_told_with_its_line_and_the_line_to_write(
    tmp_path: Path, text: str, line: int, key: str, words: str, advice: str
) -> None:
    path = written(tmp_path, LOGIN_TOML + text)
    (problem,) = problems(path)
    said, todo = problem.split("\n")
    assert said.startswith(f"{path}:{line}: {key}: ")
    assert words in said
    assert re.match("  (write|do)", todo)
    assert advice in todo
    assert "hunter2" not in problem


FIFTEEN = """\
secrets_dir = ""
colour = "blue"

[store]
url = "postgresql://syncd:hunter2@db/syncd"

[receiver]
bind = "::1:8080"
max_body_bytes = 2048

[sync]
mode = "Live"
every = 60
batch_size = 5000

[salesforce]
login_host = "https://test.salesforce.com/"
password = "hunter2"
username = "syncd@acme.example"

[fields.contact]

[rules]
timezone = "Europe/Pari"
soft_bounce.threshold = 0

[activities]
on = ["open",
  "clik"]
settle_uncertain = "10 minutes"
"""


def test_fifteen_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, FIFTEEN)
    found = problems(path)
    assert len(found) == 15
    assert f"{path}: salesforce.consumer_key: is missing" in found[0]
    assert "write, under [salesforce] (line 16): consumer_key =" in found[0]
    lines = [int(text.split(":")[1]) for text in found[1:]]
    assert lines == [1, 2, 5, 8, 12, 13, 14, 17, 18, 21, 24, 25, 28, 30]
    assert all("\n  write" in text or "\n  do: " in text for text in found)
    assert "hunter2" not in "".join(found)


def test_an_error_prints_its_problems_one_after_the_other() -> None:
    assert str(ConfigError("one", "two")) == "one\ntwo"


def test_a_login_that_lacks_something_is_refused_even_where_no_section_is_written(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    username, consumer_key = problems(path)
    assert username.startswith(f"{path}: salesforce.username: is missing")
    assert consumer_key.startswith(f"{path}: salesforce.consumer_key: is missing")
    assert "write, under [salesforce]: username = " in username


def test_a_session_needs_an_instance_and_no_key(tmp_path: Path) -> None:
    (found,) = problems(written(tmp_path, '[salesforce]\nauth = "session"'))
    assert "salesforce.instance_url: is missing" in found
    session = from_mapping({"salesforce": {"auth": "session", "instance_url": "https://acme.my.salesforce.com/"}})
    assert session.salesforce.instance_url == "https://acme.my.salesforce.com"


@pytest.mark.parametrize(
    ("rule", "key", "value"),
    [
        ({"threshold": 10, "window_days": 8}, "window_days", 9),
        ({"window_days": 7}, "span_days", 6),
        ({"span_days": 400}, "span_days", 7),
    ],
)
def test_rules_that_could_never_mark_anyone_are_refused(rule: dict[str, int], key: str, value: int) -> None:
    with pytest.raises(ConfigError, match=rf"rules\.soft_bounce\.{key}: (.|\n)*{key} = {value}$"):
        settings(rules={"soft_bounce": rule})


def test_a_threshold_is_reachable_when_its_bounces_fit_the_window_exactly() -> None:
    rule = {"threshold": 10, "max_per_day": 1, "window_days": 9, "span_days": 0}
    assert settings(rules={"soft_bounce": rule}).judgement().soft_bounce == SoftBounceRule(10, 9, 1, 0)


def test_a_syntax_error_has_its_line_and_column(tmp_path: Path) -> None:
    path = written(tmp_path, "[store]\nurl = sqlite\n")
    (found,) = problems(path)
    assert found.startswith(f"{path}:2:7: is not TOML: ")


def test_a_syntax_error_at_the_end_has_the_last_line(tmp_path: Path) -> None:
    path = written(tmp_path, "[store]\nurl =")
    (found,) = problems(path)
    assert found.startswith(f"{path}:2:6: is not TOML: ")


def test_a_missing_file_is_told_with_the_way_to_make_one_and_with_what_else_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    found = problems(path, {"SYNCD_SYNC__MOED": "live"})
    assert found[0].startswith(f"{path}: there is no such file\n  run: syncd --config {path} init")
    assert "SYNCD_SYNC__MODE" in found[1]


def test_a_directory_and_a_file_of_another_encoding_are_refused(tmp_path: Path) -> None:
    assert "cannot be read: Is a directory" in problems(tmp_path)[0]
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# a\n# \xe9\n")
    assert f"{path}:2: is not UTF-8" in problems(path)[0]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "syncd.toml"
    path.write_bytes(b"\xef\xbb\xbf" + LOGIN_TOML.replace("\n", "\r\n").encode() + b'[sync]\r\nmode = "lve"\r\n')
    assert problems(path)[0].startswith(f"{path}:5: sync.mode: ")


def test_the_file_is_the_one_given_else_the_one_of_the_environment(tmp_path: Path) -> None:
    path = written(tmp_path, LOGIN_TOML)
    assert load(None, {"SYNCD_CONFIG": str(path)}) == load(path, {})
    with pytest.raises(ConfigError, match=re.escape("/nowhere.toml: there is no such file")):
        load(Path("/nowhere.toml"), {"SYNCD_CONFIG": str(path)})


def test_the_environment_overrides_the_file_and_keeps_its_neighbours(tmp_path: Path) -> None:
    path = written(tmp_path, LOGIN_TOML + "[rules.soft_bounce]\nthreshold = 3\nspan_days = 2\n")
    environ = {
        "SYNCD_RULES__SOFT_BOUNCE__THRESHOLD": "4",
        "SYNCD_FIELDS__CONTACT__BOUNCE_DATE": "Bounced__c",
        "SYNCD_FIELDS__LEAD__EMAIL": "Email,Second__c",
        "SYNCD_ACTIVITIES__ON": '["click"]',
        "SYNCD_RULES__LIFT_ON_SUCCESS": "false",
        "SYNCD_SYNC__EVERY": "2m",
        "SYNCD_RECEIVER__BIND": "[::1]:9000",
        "SYNCD_SECRETS_DIR": "keys",
        "HOME": "/root",
    }
    loaded = load(path, environ)
    assert (loaded.rules.soft_bounce.threshold, loaded.rules.soft_bounce.span_days) == (4, 2)
    assert (loaded.fields.Contact.bounce_date, loaded.fields.Contact.bounce_reason) == (
        "Bounced__c",
        "EmailBouncedReason",
    )
    assert loaded.fields.Lead.email == ("Email", "Second__c")
    assert loaded.activities.on == ("click",)
    assert loaded.rules.lift_on_success is False
    assert timedelta(minutes=2) == loaded.sync.every
    assert tmp_path / "keys" == loaded.secrets_dir
    assert Bind("::1", 9000) == loaded.receiver.bind


@pytest.mark.parametrize(
    ("name", "value", "said", "todo"),
    [
        ("SYNCD_RULES__SOFT_BOUNCE__THRESHOLD", "0", "is 0; it must be 1 or more", "THRESHOLD=5"),
        ("SYNCD_RULES__SOFT_BOUNCE__THRESHOLD", "few", "a whole number", "THRESHOLD=5"),
        ("SYNCD_SYNC__EVERY", "60", "without a unit", "write: SYNCD_SYNC__EVERY=60s"),
        ("SYNCD_ACTIVITIES__ON", "opn", 'must be "open" or "click"', "write: SYNCD_ACTIVITIES__ON=open,click"),
        ("SYNCD_SYNC__MOED", "live", "did you mean SYNCD_SYNC__MODE?", "write: SYNCD_SYNC__MODE=live"),
        ("SYNCD_SYNCMODE", "live", "did you mean SYNCD_SYNC__MODE?", "write: SYNCD_SYNC__MODE=live"),
        ("syncd_sync__mode", "live", "did you mean SYNCD_SYNC__MODE?", "write: SYNCD_SYNC__MODE=live"),
        ("SYNCD_CONFG", "x", "did you mean SYNCD_CONFIG?", "write: SYNCD_CONFIG=/etc/syncd/syncd.toml"),
        ("SYNCD_STORE", '{"url": "x"}', "did you mean SYNCD_STORE__URL?", "write: SYNCD_STORE__URL="),
        ("SYNCD_FOO", "x", "overrides no key", "do: unset SYNCD_FOO"),
        ("SYNCD_SALESFORCE__PASSWORD", "hunter2", "secrets are files", "/etc/syncd/secrets/salesforce_password"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    tmp_path: Path, name: str, value: str, said: str, todo: str
) -> None:
    (found,) = problems(written(tmp_path, LOGIN_TOML), {name: value})
    assert found.startswith(f"${name}: ")
    assert said in found.split("\n")[0]
    assert todo in found.split("\n")[1]
    assert "hunter2" not in found


@pytest.mark.parametrize(
    ("section", "key", "file"),
    [
        ("salesforce", "private_key", "salesforce_private_key"),
        ("salesforce", "password", "salesforce_password"),
        ("salesforce", "consumer_secret", "salesforce_consumer_secret"),
        ("salesforce", "security_token", "salesforce_security_token"),
        ("salesforce", "session_id", "salesforce_session_id"),
        ("receiver", "tokens", "webhook_tokens"),
        ("store", "password", "store_password"),
    ],
)
def test_a_secret_in_the_file_is_refused_with_the_file_it_belongs_in(
    tmp_path: Path, section: str, key: str, file: str
) -> None:
    sections = {"salesforce": LOGIN_TOML} | ({section: f"[{section}]\n"} if section != "salesforce" else {})
    sections[section] += f'{key} = "hunter2"\n'
    (found,) = problems(written(tmp_path, 'secrets_dir = "keys"\n' + "".join(sections.values())))
    assert f"{section}.{key}: secrets are files, never keys" in found
    assert f"put the value alone into {tmp_path / 'keys' / file}" in found
    assert "hunter2" not in found


def test_words_that_mean_something_to_the_settings_library_are_unknown_keys_like_others(tmp_path: Path) -> None:
    found = problems(written(tmp_path, '_env_file = "x"\n_build_sources = 1\n__pydantic_self__ = 1\n' + LOGIN_TOML))
    assert [int(text.split(":")[1]) for text in found] == [1, 2, 3]


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    text = 'secrets_dir = "s"\n[store]\nurl = "sqlite:///data/x.db"\n' + LOGIN_TOML + 'ca_bundle = "ca.pem"\n'
    loaded = load(written(tmp_path, text), {})
    assert tmp_path / "data" / "x.db" == loaded.store.path
    assert tmp_path / "ca.pem" == loaded.salesforce.ca_bundle
    assert tmp_path / "s" == loaded.secrets_dir


def test_an_authorities_file_must_exist() -> None:
    with pytest.raises(ConfigError, match=r"ca_bundle: names /nowhere/ca\.pem"):
        from_mapping({"salesforce": LOGIN | {"ca_bundle": "ca.pem"}}, base=Path("/nowhere"))


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("127.0.0.1:8080", Bind("127.0.0.1", 8080)),
        ("[::1]:8080", Bind("::1", 8080)),
        (":8080", Bind("", 8080)),
        ("localhost:0", Bind("localhost", 0)),
    ],
)
def test_an_address_to_listen_on_is_read_and_written(text: str, bind: Bind) -> None:
    assert bind == settings(receiver={"bind": text}).receiver.bind
    assert text == str(bind)


def test_settings_never_change_and_show_no_key() -> None:
    made = settings()
    with pytest.raises(ValueError, match="frozen"):
        made.sync.every = timedelta(1)
    assert "3MVG9" not in repr(made)


def test_the_rules_become_what_the_pure_part_takes() -> None:
    assert Rules() == settings().judgement()
    expected = Rules("Europe/Paris", False, SoftBounceRule(4), "off", frozenset({"click"}), "{send}")
    rules = {"timezone": "Europe/Paris", "lift_on_success": False, "soft_bounce": {"threshold": 4}}
    activities = {"mode": "off", "on": ["click"], "subject": "{send}"}
    assert expected == settings(rules=rules, activities=activities).judgement()


def test_bounce_reasons_are_spared_ignored_and_counted_apart() -> None:
    soft = {"ignore_reasons": [], "by_reason": {"mailbox_full": 9}}
    judged = settings(rules={"hard_bounce": {"spare": ["blocked", "content"]}, "soft_bounce": soft}).judgement()
    assert frozenset({"blocked", "content"}) == judged.hard_bounce_spare
    assert SoftBounceRule(ignore_reasons=frozenset(), by_reason=(("mailbox_full", 9),)) == judged.soft_bounce


def test_the_bounce_reasons_of_the_file_are_those_that_are_found() -> None:
    assert list(get_args(BounceReason)) == list(ByReasonSection.model_fields) == list(Reason)
    assert set(Reason) >= SENDERS_FAULT


SECONDS = {"500ms": 0.5, "60s": 60, "15m": 900, "10min": 600, "24h": 86_400, "7d": 604_800}


@pytest.mark.parametrize("text", SECONDS)
def test_a_duration_is_a_number_and_its_unit(text: str) -> None:
    assert parse_duration(text) == timedelta(seconds=SECONDS[text])


@given(st.integers(0, 366), st.sampled_from([1, 1000, 60_000, 3_600_000, 86_400_000]), st.integers(0, 999))
def test_a_duration_that_is_written_reads_as_the_same(count: int, unit: int, rest: int) -> None:
    for milliseconds in (count * unit, count * unit + rest):
        duration = timedelta(milliseconds=min(milliseconds, 999_999_999))
        assert parse_duration(format_duration(duration)) == duration


def test_every_key_has_its_line_however_it_is_written() -> None:
    text = '# a\na = """\nx = 1\n"""\n[b.c]\n"d" = [\n  1, # two\n  2]\ne.f = {g = 1}\n[[h]]\ni = 1\n'
    places = {".".join(key): (place.line, place.written) for key, place in locate(text).items()}
    keys_of_b = {"b.c.d": (6, "d"), "b.c.e": (9, "e"), "b.c.e.f": (9, "e.f"), "b.c.e.f.g": (9, "e.f.g")}
    assert places == {"a": (2, "a"), "b": (5, ""), "b.c": (5, ""), **keys_of_b, "h": (10, ""), "h.i": (11, "i")}


def test_the_example_names_every_key_and_no_other_each_with_its_default_and_a_comment() -> None:
    text = EXAMPLE.read_text()
    assert set(re.findall(r"^# (\w+) = ", text, re.MULTILINE)) == {"username", "consumer_key"}
    complete = re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE)
    places = locate(complete)
    assert {key for key, place in places.items() if place.written} == set(keys())
    for key in keys():
        assert re.search(r"  # \S", complete.splitlines()[places[key].line - 1])
    needed = {"username": "syncd@acme.example", "consumer_key": "3MVG9…"}
    assert from_mapping(tomllib.loads(complete)) == from_mapping({"salesforce": needed})


def test_the_example_needs_only_the_two_keys_it_leaves_out() -> None:
    found = problems(EXAMPLE)
    assert [text.split(": ")[1] for text in found] == ["salesforce.username", "salesforce.consumer_key"]


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "credentials").mkdir()
    return Secrets(tmp_path / "secrets", tmp_path / "credentials")


def put(directory: Path | None, name: str, text: str, mode: int = 0o600) -> Path:
    assert directory is not None
    path = directory / name
    path.write_text(text)
    path.chmod(mode)
    return path


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> str:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    kind, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(kind, form, how).decode()


def test_tokens_are_read_one_a_line_without_comments(secrets: Secrets) -> None:
    put(secrets.directory, "webhook_tokens", f"# until June\n{TOKEN}\n\n  {TOKEN[::-1]}\n")
    assert (TOKEN, TOKEN[::-1]) == secrets.webhook_tokens()


@pytest.mark.parametrize("text", [None, "", "# none yet\n\n"])
def test_without_a_token_the_command_that_makes_one_is_told(secrets: Secrets, text: str | None) -> None:
    if text is not None:
        put(secrets.directory, "webhook_tokens", text)
    with pytest.raises(ConfigError, match=r"python3 -c 'import secrets; print\(secrets.token_urlsafe\(24\)\)' >> "):
        secrets.webhook_tokens()


def test_each_weak_token_is_named_by_its_line_and_never_shown(secrets: Secrets) -> None:
    path = put(secrets.directory, "webhook_tokens", f"short\n{TOKEN}\nspaces are no part of tokens\n")
    with pytest.raises(ConfigError) as caught:
        secrets.webhook_tokens()
    assert [f"{path}:1", f"{path}:3"] == [text.split(": ")[0] for text in caught.value.problems]
    assert not {"short", TOKEN, "spaces"} & set(re.split(r"\W", str(caught.value)))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o602])
def test_a_secret_that_others_may_read_or_write_is_refused(secrets: Secrets, mode: int) -> None:
    path = put(secrets.directory, "salesforce_session_id", "00D!x", mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o}(.|\n)*run: chmod 600 {path}$"):
        secrets.salesforce_session_id()


@pytest.mark.parametrize("mode", [0o400, 0o440])
def test_what_systemd_hands_over_wins_and_may_be_read_by_its_group(secrets: Secrets, mode: int) -> None:
    put(secrets.directory, "salesforce_session_id", "of-the-directory")
    put(secrets.credentials_dir, "salesforce_session_id", "of-systemd\n", mode)
    assert secrets.salesforce_session_id() == "of-systemd"


@pytest.mark.parametrize("mode", [0o444, 0o460])
def test_even_what_systemd_hands_over_is_refused_if_more_may_be_done_with_it(secrets: Secrets, mode: int) -> None:
    put(secrets.credentials_dir, "salesforce_session_id", "x", mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o}"):
        secrets.salesforce_session_id()


def test_settings_find_the_secrets_of_systemd_and_of_the_directory(tmp_path: Path, secrets: Secrets) -> None:
    put(secrets.directory, "webhook_tokens", TOKEN)
    put(secrets.credentials_dir, "salesforce_session_id", "x!y", 0o440)
    path = written(tmp_path, 'secrets_dir = "secrets"\n' + LOGIN_TOML)
    loaded = load(path, {"CREDENTIALS_DIRECTORY": str(secrets.credentials_dir)})
    assert (loaded.secrets.webhook_tokens(), loaded.secrets.salesforce_session_id()) == ((TOKEN,), "x!y")
    assert TOKEN not in repr(loaded) + repr(loaded.secrets)


def test_an_rsa_key_of_2048_bits_is_taken(secrets: Secrets) -> None:
    key = rsa.generate_private_key(65537, 2048)
    put(secrets.directory, "salesforce_private_key", pem(key))
    assert secrets.salesforce_private_key().private_numbers() == key.private_numbers()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (pem(rsa.generate_private_key(65537, 1024)), "an RSA key of 1024 bits"),  # noqa: S505  refused is what it must be
        (pem(ec.generate_private_key(ec.SECP256R1())), "is no RSA key"),
        (pem(ec.generate_private_key(ec.SECP256R1()), b"x"), "protected by a passphrase"),
        ("hunter2", "no private key in PEM form"),
    ],
)
def test_another_key_is_refused_with_the_command_that_makes_a_right_one(secrets: Secrets, text: str, said: str) -> None:
    put(secrets.directory, "salesforce_private_key", text)
    with pytest.raises(ConfigError, match=f"{said}(.|\n)*run: .*openssl ") as caught:
        secrets.salesforce_private_key()
    assert not any(line in str(caught.value) for line in text.splitlines())


def test_a_secret_that_is_no_file_or_no_text_is_refused(secrets: Secrets) -> None:
    (secrets.directory / "salesforce_session_id").mkdir()
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        secrets.salesforce_session_id()
    put(secrets.directory, "webhook_tokens", "").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not text"):
        secrets.webhook_tokens()


@pytest.mark.parametrize("key", [key for key in keys() if key != ("salesforce", "ca_bundle")], ids=".".join)
def test_every_key_can_be_overridden_from_the_environment(tmp_path: Path, key: Key) -> None:
    path = written(tmp_path, f"[salesforce]\nusername = '{LOGIN['username']}'\nconsumer_key = 'k'\n")
    value = sample(key)
    text = ",".join(value) if isinstance(value, tuple) else toml(value).strip('"')
    got: Any = load(path, {variable(key): text})
    for name in key:
        got = getattr(got, name)
    assert str(got) == str(value) or str(got).endswith(str(value).rpartition("/")[2])
