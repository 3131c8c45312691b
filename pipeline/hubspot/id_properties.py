"""Properties that hold ids, names or versions although their values may look like numbers, such as
hs_hash_id of a page visit: as numbers they would lose leading zeros, and an id of an ad network its
last digits.

Read in public recordings of live answers (page visits, closed deals) and in public code that reads
these events (the others); HubSpot documents no types of these properties. A campaign is often named
by the id of an ad network.
"""

_CAMPAIGN = ("hs_utm_campaign",)
_AD = ("hs_ad_account_id", "hs_ad_campaign_id", "hs_ad_group_id", "hs_ad_id")
_EMAIL = ("hs_email_campaign_id", "hs_email_meta_content_id")
_DOCUMENT = ("hs_document_id", "hs_user_id")
_MARKETING_EVENT = ("hs_marketing_event",)

ID_PROPERTIES: dict[str, tuple[str, ...]] = {
    "e_visited_page": (
        "hs_hash_id",
        "hs_leviathan_linked_vids",
        "hs_browser_version_major",
        *_CAMPAIGN,
    ),
    "e_submitted_form": _CAMPAIGN,
    "e_form_submission_v2": _CAMPAIGN,
    "e_form_submission_metadata_v2": _CAMPAIGN,
    "e_deal_closed": ("hs_deal_name", "hs_deal_owner", "hs_team"),
    "e_ad_interaction": (*_AD, *_CAMPAIGN),
    "e_ad_metrics_imported_v0": _AD,
    "e_mta_delivered_email_v2": _EMAIL,
    "e_mta_bounced_email_v2": _EMAIL,
    "e_opened_email_v2": _EMAIL,
    "e_clicked_link_in_email_v2": _EMAIL,
    "e_document_shared_v2": _DOCUMENT,
    "e_document_viewed_v2": _DOCUMENT,
    "e_attended_marketing_event": _MARKETING_EVENT,
    "e_cancelled_marketing_event": _MARKETING_EVENT,
}
