"""The properties of events other than page visits. As in HubSpot, all values are strings, and some
are empty.

The names are those that public code reads from live answers or from HubSpot's data share, where the
table EVENTS_X holds the events e_x; those of e_deal_closed were seen in a live answer.
"""

from simulator.values import AGENTS, CITIES, PAGES, PROCESSED, REFERRERS, SITE, digits, mix, pick, uuid

FORMS, EMAILS = 11, 17  # how many forms and emails the account has
UNUSED = (  # HubSpot's default properties of a custom event that this account leaves empty
    "hs_asset_description", "hs_asset_type", "hs_device_name", "hs_element_class", "hs_element_text", "hs_operating_version",
    "hs_parent_module_id", "hs_touchpoint_source", "hs_tracking_name", "hs_utm_content", "hs_utm_term",
)  # fmt: skip


def submitted_form(number: int) -> dict[str, str]:
    """e_submitted_form: a form and the page that it is on."""
    path, title = pick(PAGES, number, 2)
    return _form(number) | {"hs_title": title, "hs_url": SITE + path}


def form_submission(number: int) -> dict[str, str]:
    """e_form_submission_v2: a form, and what the visitor followed to it."""
    path, _ = pick(PAGES, number, 2)
    query = pick(["", "hsa_acc=7&hsa_cam=8&hsa_src=g&plan=1%2B1"], number, 20)
    return _form(number) | {
        "hs_base_url": SITE + path, "hs_form_correlation_id": uuid(number, 21), "hs_query_params": query,
    }  # fmt: skip


def form_metadata(number: int) -> dict[str, str]:
    """e_form_submission_metadata_v2: a form by its title, without its id."""
    form = _form(number)
    del form["hs_form_id"]
    stage = pick(["", "lead", "subscriber", "customer"], number, 22)
    title = pick(["Contact us", "Newsletter"], number % FORMS, 23)
    return form | {"hs_contact_lifecyclestage": stage, "hs_form_title": title}


def ad_interaction(number: int) -> dict[str, str]:
    """e_ad_interaction: a click on an ad, by the ids of its network."""
    campaign = number % 5
    return {
        "hs_ad_account_id": digits(10, 0, 24), "hs_ad_campaign_id": digits(11, campaign, 25),
        "hs_ad_campaign_name": pick(["spring launch", "brand 2026"], campaign, 26),
        "hs_ad_group_id": digits(12, number % 13, 27), "hs_ad_group_name": "",
        "hs_ad_id": digits(18, number % 29, 28), "hs_ad_name": pick(["", "banner"], number, 29),
        "hs_ad_network": pick(["ADWORDS", "FACEBOOK", "LINKEDIN"], campaign, 30),
        "hs_interaction_type": pick(["CLICK", "LEAD_FORM"], number, 31), **_utm(number),
    }  # fmt: skip


def ad_metrics(number: int) -> dict[str, str]:
    """e_ad_metrics_imported_v0: what a campaign cost and brought."""
    return {
        "hs_ad_amount_spent": f"{mix(number) % 90_000 / 100:.2f}", "hs_ad_campaign_id": digits(11, number % 5, 25),
        "hs_ad_clicks": str(mix(number) % 300), "hs_ad_engagements": str(mix(number) % 40),
        "hs_ad_impressions": str(mix(number) % 90_000), "hs_ad_likes": "0",
        "hs_ad_network_conversions": f"{mix(number) % 50 / 10:.1f}",
    }  # fmt: skip


def email(number: int) -> dict[str, str]:
    """e_mta_delivered_email_v2: an email, by its campaign and content."""
    sent = number % EMAILS
    return {
        "hs_email_campaign_id": digits(9, sent, 32), "hs_email_meta_content_id": digits(12, sent, 33),
        "hs_processed_timestamp": PROCESSED,
    }  # fmt: skip


def opened_email(number: int) -> dict[str, str]:
    """e_opened_email_v2: an email, and where it was opened."""
    return email(number) | _browser(number)


def clicked_email(number: int) -> dict[str, str]:
    """e_clicked_link_in_email_v2: an email, and the link that was clicked in it."""
    path, _ = pick(PAGES, number, 2)
    return opened_email(number) | {"hs_click_original_url": f"{SITE}{path}?utm_medium=email"}


def bounced_email(number: int) -> dict[str, str]:
    """e_mta_bounced_email_v2: an email, and why it came back."""
    return email(number) | {"hs_bounce_reason": pick(["", "MAILBOX_FULL", "UNKNOWN_USER"], number, 34)}


def document(number: int) -> dict[str, str]:
    """e_document_shared_v2 and e_document_viewed_v2: a document, and whose it is."""
    shown = number % 23
    return {
        "hs_document_id": digits(8, shown, 35), "hs_presentation_id": uuid(shown, 36), "hs_user_id": digits(8, shown % 3, 37),
        "hs_visitor_type": pick(["", "CONTACT"], number, 38),
    }  # fmt: skip


def closed_deal(number: int) -> dict[str, str]:
    """e_deal_closed: a deal, with the ids of its owner and team."""
    return {
        "hs_amount": f"{100 + mix(number) % 9_900}.0", "hs_team": digits(8, number % 3, 39),
        "hs_closed_state": pick(["CLOSED_WON", "CLOSED_LOST"], number, 40), "hs_closed_state_reason": "",
        "hs_pipeline": "default", "hs_analytics_latest_source_data_2": "userId:" + digits(8, number % 7, 37),
        "hs_deal_name": pick(["Renewal", digits(11, number, 41)], number, 42), "hs_analytics_latest_source_data_1": "CRM_UI",
        "hs_analytics_latest_source": "OFFLINE", "hs_deal_owner": digits(9, number % 7, 43),
    }  # fmt: skip


def marketing_event(number: int) -> dict[str, str]:
    """e_attended_marketing_event and its like: the marketing event, by its id."""
    return {"hs_marketing_event": digits(12, number % 19, 44), "hs_processed_timestamp": PROCESSED}


def custom_event(number: int) -> dict[str, str]:
    """pe{portalId}_…: HubSpot's 32 default properties (event definitions guide), and some of the
    account's own.
    """
    city, region, country = pick(CITIES, number, 1)
    path, title = pick(PAGES, number, 2)
    filled = {
        "hs_campaign_id": pick(["", uuid(number % 5, 45)], number, 46), "hs_city": city, "hs_country": country,
        "hs_element_id": pick(["", "buy-now"], number, 47), "hs_language": "en-us",
        "hs_link_href": pick(["", "/pricing"], number, 48), "hs_page_content_type": "STANDARD_PAGE",
        "hs_page_id": pick(["", digits(12, number % 97, 9)], number, 10),
        "hs_page_title": title, "hs_page_url": SITE + path, "hs_referrer": pick(REFERRERS, number, 5), "hs_region": region,
        "hs_screen_height": pick(["1080", "844"], number, 49), "hs_screen_width": pick(["1920", "390"], number, 49),
    }  # fmt: skip
    own = {
        "order_number": f"{mix(number) % 10**6:06}",
        "plan": pick(["free", "team"], number, 50),
        "seats": str(1 + number % 40),
    }
    return filled | dict.fromkeys(UNUSED, "") | _browser(number) | _utm(number) | own


def app_event(number: int) -> dict[str, str]:
    """ae{appId}_…: the properties that the app has defined, as it has sent them."""
    return {
        "webinar_id": digits(11, number % 13, 51), "webinar_title": pick(["Paging", "Événements"], number % 13, 52),
        "minutes_attended": str(mix(number) % 60), "stayed_to_the_end": pick(["true", "false"], number, 53),
    }  # fmt: skip


def _form(number: int) -> dict[str, str]:
    """What all events of a submitted form have."""
    return {
        "hs_form_id": uuid(number % FORMS, 54), "hs_form_type": pick(["HUBSPOT", "CAPTURED"], number % FORMS, 55),
        "hs_page_title": pick(PAGES, number, 2)[1], "hs_referrer": pick(REFERRERS, number, 5),
        "hs_visitor_type": pick(["NEW", "RETURNING"], number, 6), **_utm(number),
    }  # fmt: skip


def _utm(number: int) -> dict[str, str]:
    """The campaign that brought the visitor; its name is often the id of an ad campaign."""
    return {
        "hs_utm_campaign": pick(["", "spring launch", digits(17, number % 7, 11)], number, 12),
        "hs_utm_medium": pick(["", "cpc", "email"], number, 56), "hs_utm_source": pick(["", "spring"], number, 57),
    }  # fmt: skip


def _browser(number: int) -> dict[str, str]:
    """What the visitor used."""
    browser, agent, device, _, system = pick(AGENTS, number, 3)
    return {
        "hs_browser": browser, "hs_device_type": "Smartphone" if device == "MOBILE" else "Desktop",
        "hs_operating_system": system, "hs_user_agent": agent,
    }  # fmt: skip
