"""The properties of a page visit: as on a live account, or fewer. As in HubSpot, all are strings,
and some are empty.
"""

from simulator.values import (
    AGENTS,
    CITIES,
    OCCURRED,
    PAGES,
    PERSON,
    PROCESSED,
    REFERRERS,
    SITE,
    SOURCES,
    digits,
    mix,
    pick,
)

BARE = 4  # every fourth visit has only the properties that are always there
ALWAYS = (
    "hs_browser_version_major", "hs_cf_bot_score", "hs_hash_id", "hs_is_new_cookie", "hs_leviathan_linked_vids",
    "hs_log_line_timestamp", "hs_operating_system", "hs_page_title", "hs_processed_timestamp", "hs_title", "hs_user_agent",
)  # fmt: skip


def live(number: int) -> dict[str, str]:
    """The 38 properties of a live visit, sorted by name (seen in public answers of 2026-03, where
    many were empty).
    """
    properties = {**_page(number), **_visitor(number), **_tracking(number)}
    if number % BARE == BARE - 1:
        properties = {name: value if name in ALWAYS else "" for name, value in properties.items()}
    return dict(sorted(properties.items()))


def short(number: int) -> dict[str, str]:
    """15 properties of a visit, for runs whose figures are compared with earlier ones."""
    city, region, country = pick(CITIES, number, 1)
    path, title = pick(PAGES, number, 2)
    browser, agent, device, _, _ = pick(AGENTS, number, 3)
    return {
        "hs_url": SITE + path, "hs_title": title, "hs_page_id": str(mix(number % 97) % 10**11),
        "hs_page_content_type": pick(["STANDARD_PAGE", "BLOG_POST", "LANDING_PAGE"], number, 4),
        "hs_city": city, "hs_region": region, "hs_country": country, "hs_browser": browser, "hs_device_type": device,
        "hs_user_agent": agent, "hs_referrer": pick(REFERRERS, number, 5), "hs_language": "en-us",
        "hs_session_id": f"{mix(number):016x}", "hs_visitor_type": pick(["NEW", "RETURNING"], number, 6),
        "hs_utm_campaign": pick(["", "spring-launch"], number, 7),
    }  # fmt: skip


def _page(number: int) -> dict[str, str]:
    """What was visited."""
    path, title = pick(PAGES, number, 2)
    query = pick(["", "", "utm_source=spring&utm_campaign=spring%20launch", "plan=1"], number, 5)
    url = SITE + path
    return {
        "hs_analytics_normalized_page_url": url.rstrip("/"), "hs_base_url": url, "hs_canonical_url": url,
        "hs_original_canonical_url": pick(["", url], number, 8),
        "hs_page_id": pick(["", digits(12, number % 97, 9)], number, 10), "hs_page_title": title,
        "hs_query_params": query, "hs_targeted_content_aggregation": "", "hs_title": title,
        "hs_url": url + ("?" + query if query else ""), "hs_url_domain": "127.0.0.1", "hs_url_path": path,
    }  # fmt: skip


def _visitor(number: int) -> dict[str, str]:
    """Who visited, and from where."""
    _, region, country = pick(CITIES, number, 1)
    browser, agent, device, version, system = pick(AGENTS, number, 3)
    return {
        "hs_browser": browser, "hs_browser_type": "Mobile Browser" if device == "MOBILE" else "Browser",
        "hs_browser_version_major": version, "hs_cf_bot_score": str(1 + number % 99), "hs_country": country,
        "hs_device_type": "Smartphone" if device == "MOBILE" else "Desktop", "hs_leviathan_linked_vids": PERSON,
        "hs_operating_system": system, "hs_qualified_region": f"{country}/{region}" if region else "", "hs_region": region,
        "hs_user_agent": agent, "hs_utm_campaign": pick(["", "spring launch", digits(17, number % 7, 11)], number, 12),
        "hs_visit_source": pick(SOURCES, number, 13), "hs_visit_source_details_1": pick(["", "127.0.0.1"], number, 14),
        "hs_visit_source_details_2": "",
    }  # fmt: skip


def _tracking(number: int) -> dict[str, str]:
    """What the tracker says of the visit."""
    return {
        "hs_hash_id": digits(6, number, 15), "hs_is_amp": "false", "hs_is_contact": pick(["true", "false"], number, 16),
        "hs_is_external": pick(["", "true"], number, 17), "hs_is_in_chat_view": "false",
        "hs_is_new_cookie": pick(["false", "false", "true"], number, 18), "hs_is_virtual_referrer": "false",
        "hs_is_virtual_url": "false", "hs_log_line_timestamp": OCCURRED, "hs_processed_timestamp": PROCESSED,
        "hs_tracking_privacy_data": "",
    }  # fmt: skip
