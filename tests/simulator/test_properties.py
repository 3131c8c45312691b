"""The properties of generated events: those of their event type as on a live account, or the 15 of
the short profile.
"""

import re
from itertools import islice

import pytest

from simulator import generated
from simulator.__main__ import _histories, _parser
from simulator.bodies import OWN
from simulator.instants import milliseconds

TYPE = "e_visited_page"
VISIT = [
    "hs_analytics_normalized_page_url", "hs_base_url", "hs_browser", "hs_browser_type", "hs_browser_version_major",
    "hs_canonical_url", "hs_cf_bot_score", "hs_country", "hs_device_type", "hs_hash_id", "hs_is_amp", "hs_is_contact",
    "hs_is_external", "hs_is_in_chat_view", "hs_is_new_cookie", "hs_is_virtual_referrer", "hs_is_virtual_url",
    "hs_leviathan_linked_vids", "hs_log_line_timestamp", "hs_operating_system", "hs_original_canonical_url", "hs_page_id",
    "hs_page_title", "hs_processed_timestamp", "hs_qualified_region", "hs_query_params", "hs_region",
    "hs_targeted_content_aggregation", "hs_title", "hs_tracking_privacy_data", "hs_url", "hs_url_domain", "hs_url_path",
    "hs_user_agent", "hs_utm_campaign", "hs_visit_source", "hs_visit_source_details_1", "hs_visit_source_details_2",
]  # fmt: skip
DEFAULTS_OF_A_CUSTOM_EVENT = 32
NUMBER_LIKE = {
    TYPE: (
        "hs_hash_id",
        "hs_leviathan_linked_vids",
        "hs_log_line_timestamp",
        "hs_processed_timestamp",
        "hs_cf_bot_score",
    ),
    "e_ad_interaction": ("hs_ad_account_id", "hs_ad_campaign_id", "hs_ad_group_id", "hs_ad_id"),
    "e_opened_email_v2": ("hs_email_campaign_id", "hs_email_meta_content_id"),
    "e_document_viewed_v2": ("hs_document_id", "hs_user_id"),
    "e_deal_closed": ("hs_team", "hs_deal_owner"),
    "pe7_order": ("order_number", "seats"),
    "ae7_webinar": ("webinar_id",),
}


def events(event_type=TYPE, count=600, **options):
    history = generated(count, event_type=event_type, **options)
    return [history.event(i) for i in range(count)]


def test_a_page_visit_has_the_38_properties_of_a_live_one():
    assert len(VISIT) == 38
    assert all(list(event["properties"]) == VISIT for event in events())


def test_some_visits_are_as_bare_as_live_ones_and_most_are_not():
    filled = [sum(value != "" for value in event["properties"].values()) for event in events()]
    # live visits with 27 empty properties were seen
    assert filled.count(11) in range(100, 200) and max(filled) > 30


def test_what_a_visit_says_of_itself_is_true():
    for event in events():
        own, ms = event["properties"], milliseconds(event["occurredAt"])
        assert own["hs_leviathan_linked_vids"] == event["objectId"] and own["hs_log_line_timestamp"] == str(ms)
        assert int(own["hs_processed_timestamp"]) - ms in range(600, 1100)
        assert own["hs_url"].startswith(own["hs_base_url"]) and own["hs_base_url"].endswith(own["hs_url_path"])


@pytest.mark.parametrize("event_type", [*OWN, "pe7_order", "ae7_webinar", "e_unheard_of", "100%"])
def test_properties_are_texts_that_name_no_host_but_loopback(event_type):
    some = events(event_type)
    assert all(event["eventType"] == event_type and event["properties"] for event in some)
    values = {value for event in some for value in event["properties"].values()}
    assert all(isinstance(value, str) for value in values)
    assert not [value for value in values if "%%" in value or "%(" in value]  # fields of a format that were not filled
    assert {host for value in values for host in re.findall("https?://([^/]*)", value)} <= {"127.0.0.1"}


@pytest.mark.parametrize("event_type, names", NUMBER_LIKE.items())
def test_ids_look_like_numbers_as_on_a_live_account(event_type, names):
    for event in islice(events(event_type), 100):
        assert all(event["properties"][name].isdigit() for name in names)


def test_event_types_have_properties_of_their_own():
    assert len({tuple(sorted(events(name, 1)[0]["properties"])) for name in OWN}) >= 12
    assert set(events("e_form_submission_metadata_v2", 1)[0]["properties"]) >= {
        "hs_form_title",
        "hs_contact_lifecyclestage",
    }
    assert "hs_form_id" not in events("e_form_submission_metadata_v2", 1)[0]["properties"]
    custom = list(events("pe7_order", 1)[0]["properties"])
    assert sum(name.startswith("hs_") for name in custom) == DEFAULTS_OF_A_CUSTOM_EVENT < len(custom)
    assert {event["objectType"] for event in events("e_deal_closed", 9)} == {"DEAL"}


def test_the_short_profile_has_15_properties_whatever_the_event_type():
    types = TYPE, "e_deal_closed", "pe7_order"
    names = {tuple(event["properties"]) for name in types for event in events(name, profile="short")}
    assert len(names) == 1 and len(names.pop()) == 15
    sizes = [len(generated(250, profile=profile).body(7)) for profile in ("short", "live")]
    assert sizes[0] < 800 < 1000 < sizes[1] < 1800


@pytest.mark.parametrize("event_type", [TYPE, "pe7_order"])
def test_profiles_differ_in_properties_and_in_the_visitors_of_page_visits_alone(event_type):
    differ = {"properties": {}, "objectId": ""} if event_type == TYPE else {"properties": {}}
    for live, short in zip(events(event_type), events(event_type, profile="short"), strict=True):
        assert {**live, **differ} == {**short, **differ}


def test_the_command_line_selects_a_profile():
    made = _histories(_parser().parse_args(["--events", "1", "--profile", "short"]))[TYPE]
    assert made.event(0) == events(count=1, profile="short")[0] != events(count=1)[0]
    with pytest.raises(ValueError, match="profile must be one of live, short: 'long'"):
        generated(1, profile="long")
