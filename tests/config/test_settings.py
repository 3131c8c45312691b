"""The configuration: its defaults, every mistake reported at once, no secret shown."""

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.config.keys import GONE, KEYS
from pipeline.config.settings import gone_keys, read_settings, unknown_keys
from pipeline.errors import SettingsError
from pipeline.timestamps import to_ms

TOKEN = "pat-na1-00000000-aaaa"
REQUIRED = {"api_token": TOKEN, "initial_sync_start_date": "2026-01-01T00:00:00Z"}
DEFAULTS = {
    "event_types": ("e_visited_page",), "page_size": 1000, "checkpoint_interval": 10_000, "lookback": 3_600_000,
    "max_outage": 900_000, "concurrency": 4, "quota_reserve": 10, "api_base_url": "https://api.hubapi.com",
    "api_version": "2026-03",
}  # fmt: skip


def mistakes(**keys):
    with pytest.raises(SettingsError) as raised:
        read_settings(REQUIRED | keys)
    return str(raised.value)


@pytest.mark.parametrize("blank", [None, "", "  \n"])
def test_a_blank_key_falls_back_to_its_default(blank):
    given_keys = REQUIRED | {name: blank for name in KEYS if name not in REQUIRED} if blank is not None else REQUIRED
    read = read_settings(given_keys)
    assert {name: getattr(read, name) for name in DEFAULTS} == DEFAULTS
    assert (read.api_token, read.start) == (TOKEN, to_ms(REQUIRED["initial_sync_start_date"]))


WRONG = {
    "initial_sync_start_date": ("soon", "2026-01-01T00:00:00Z"), "event_types": ("e visited/page", "e_visited_page"),
    "page_size": ("0", "from 1 to"), "checkpoint_interval": ("-1", "from 1 to"), "lookback_minutes": ("1.5", "from 0 to"),
    "audit_days": ("often", "from 0 to"), "max_outage_minutes": ("0", "minutes above 0"), "concurrency": ("0", "from 1 to"),
    "quota_reserve_percent": ("91", "from 0 to 90"), "api_base_url": ("http://api.hubapi.com", "https://api.hubapi.com"),
    "api_version": ("v4", "2026-03"),
}  # fmt: skip


def test_every_mistake_is_reported_at_once_with_its_key_the_value_and_the_cure():
    lines = mistakes(api_token="two words", **{key: text for key, (text, _) in WRONG.items()}).splitlines()
    assert f"{len(WRONG) + 1} mistakes" in lines[0] and len(lines) == len(WRONG) + 2
    for key, (text, right) in WRONG.items():
        line = next(line for line in lines if line.startswith(f"- {key}:"))
        assert repr(text) in line and right in line.partition(repr(text))[2]


@pytest.mark.parametrize("key", REQUIRED)
def test_a_required_key_is_reported_missing_by_name(key):
    for blank in ({}, {key: " "}):
        with pytest.raises(SettingsError, match=f"- {key}: missing; give"):
            read_settings({name: text for name, text in REQUIRED.items() if name != key} | blank)


@pytest.mark.parametrize("token", [f"Bearer {TOKEN}", f"{TOKEN}\n{TOKEN}", f"{TOKEN}é", f"{TOKEN}\0", f"{TOKEN} x"])
def test_an_unusable_token_is_reported_but_no_secret_is_ever_shown(token):
    message = mistakes(api_token=token, page_size="0", hash_salt="fivetran_encrypted:pepper")
    read = read_settings(REQUIRED | {"hash_columns": "email", "hash_salt": "pepper"})
    assert all(f"- {key}:" in message for key in ("api_token", "page_size", "hash_salt")) and read.hash_salt == "pepper"
    assert not [text for text in (message, repr(read), str(read)) if TOKEN in text or "pepper" in text]


ODD = ["5", "1e3", "٣", "https://[", "https://a:٣", "https://a:99999", "1" * 13, "https://\u2100", "\ud800"]
TEXTS = st.text() | st.sampled_from([text for text, _ in WRONG.values()] + ODD)


@settings(deadline=None, max_examples=300)
@given(st.text("!~ab\n é", min_size=9), st.dictionaries(st.sampled_from(sorted(KEYS)) | st.text(), TEXTS))
@example(TOKEN, {"api_base_url": "https://[::1%25eth0]"})
def test_any_configuration_is_read_or_an_error_that_does_not_reveal_the_token(token, others):
    configuration = REQUIRED | others | {"api_token": token}
    assert all(isinstance(sentence, str) for sentence in unknown_keys(configuration))
    try:
        assert read_settings(configuration).event_types
    except SettingsError as error:
        assert "\n- " in str(error)
        assert token not in str(error) or any(token in text for text in others.values())


NEAR = {"page_sise": "page_size", "Api_Token": "api_token", "lookback": "lookback_minutes"}


@pytest.mark.parametrize("wrong, nearest", NEAR.items())
def test_an_unknown_key_with_a_near_name_is_a_mistake(wrong, nearest):
    message = mistakes(**{wrong: "x"})
    assert f"- {wrong!r}: there is no such key; did you mean {nearest!r}?" in message
    assert unknown_keys(REQUIRED | {wrong: "x"}) == []


def test_a_token_in_another_key_is_told_by_its_shape():
    message = mistakes(property_filters="hs_title=pat-eu1-5ec2e75e")
    assert "an access token belongs only in api_token" in message and "5ec2e75e" not in message


@pytest.mark.parametrize("filters", [
    "hs_email=ada@example.com; hs_city", "hs_email=; hs_name=Ada Lovelace", "hs_email:ada@example.com", "a=Ada; a=Ada",
])  # fmt: skip
def test_a_value_of_property_filters_is_not_shown_since_it_may_name_a_person(filters):
    message = mistakes(property_filters=filters)
    assert "- property_filters: given '" in message and "…" in message
    assert "ada" not in message.lower()


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=19), st.just("")))
def test_exactly_the_unknown_keys_are_reported(configuration):
    unknown = [name for name in configuration if name not in {*KEYS, *GONE}]
    sentences = unknown_keys(REQUIRED | configuration)
    with suppress(SettingsError):
        read_settings(REQUIRED | configuration)
        assert len(sentences) == len(unknown)  # none is near
    shown = [repr(name) if not re.search(r"\bpat-[a-z]+[0-9]+-", name) else "(not shown)" for name in unknown]
    assert sentences == [sentence for sentence in told(shown) if sentence in sentences]
    misspelled = [name for name in shown if not set(told([name])) & set(sentences)]
    if misspelled:
        message = mistakes(**configuration)
        assert all(f"- {name}: there is no such key" in message for name in misspelled)


def told(names):
    return [f"configuration key {name} is unknown and ignored." for name in names]


@pytest.mark.parametrize("name", GONE)
def test_a_key_of_an_earlier_version_that_is_gone_is_accepted_and_reported(name):
    given_keys = REQUIRED | {name: "false"}
    assert read_settings(given_keys) == read_settings(REQUIRED) and not unknown_keys(given_keys)
    (sentence,) = gone_keys(given_keys)
    assert f": {name} (" in sentence and "delete" in sentence
    assert not gone_keys(REQUIRED | {name: ""})


def test_the_example_configuration_is_valid():
    example = json.loads((Path(__file__).parents[2] / "configuration.json.example").read_text())
    assert list(example) == list(KEYS) and read_settings(example | {"api_token": "x"})
    with pytest.raises(SettingsError, match="- api_token: .*your own access token"):
        read_settings(example)
