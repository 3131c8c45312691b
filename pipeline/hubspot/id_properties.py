"""Properties that hold ids, names or versions although their values may look like numbers, such as hs_hash_id of a page visit: as
numbers they would lose leading zeros, and an id of an ad network its last digits.

Read in public recordings of live answers (page visits, closed deals) and in public code that reads these events (ads); HubSpot
documents no types of these properties.
"""

ID_PROPERTIES: dict[str, tuple[str, ...]] = {
    "e_visited_page": ("hs_hash_id", "hs_leviathan_linked_vids", "hs_browser_version_major"),
    "e_deal_closed": ("hs_deal_name", "hs_deal_owner", "hs_team"),
    "e_ad_interaction": ("hs_ad_account_id", "hs_ad_campaign_id", "hs_ad_group_id", "hs_ad_id"),
    "e_ad_metrics_imported_v0": ("hs_ad_account_id", "hs_ad_campaign_id", "hs_ad_group_id", "hs_ad_id"),
}
