"""The properties of HubSpot's own events, which HubSpot documents nowhere, and which of any event's
are ids.

The names were seen in public recordings of live answers (page visits, closed deals) and in public
schemas and code that read these events (the others); types, labels and descriptions are read from
names and values. In one case the type matters: what is text here stays text, since an id that
becomes a number loses leading zeros, and a long one its last digits. A campaign is often named by
the id of an ad network.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple


class Property(NamedTuple):
    """A property of an event, in the words of whoever has defined it; `options` are HubSpot's."""

    name: str
    type: str
    label: str = ""
    description: str = ""
    options: tuple[Any, ...] = ()
    sensitivity: str | None = None
    archived: bool = False


class Definition(NamedTuple):
    """An event type: its label, and its properties."""

    label: str
    properties: tuple[Property, ...]


# Ids that events of any type may have
IDS = (
    "hs_campaign_id", "hs_company_id", "hs_element_id", "hs_form_id",
    "hs_historical_contact_associatedcompanyid", "hs_lead_source_id", "hs_operating_version", "hs_page_id",
    "hs_parent_module_id", "hs_session_id", "hs_utm_campaign",
)  # fmt: skip

_SHARED = """
hs_base_url | string | Base URL | the address of the page, without its query
hs_browser | string | Browser | the name of the browser
hs_company_id | string | Company | the id of the company that the visitor belongs to
hs_device_type | string | Device | Desktop, Smartphone, …
hs_form_correlation_id | string | Correlation id | joins the records of one submission
hs_form_id | string | Form | the id of the form
hs_form_title | string | Form title | the title of the form
hs_form_type | string | Form type | HUBSPOT, CAPTURED, …
hs_operating_system | string | Operating system | of the visitor's device
hs_page_title | string | Page title | the title of the page, as HubSpot knows it
hs_processed_timestamp | number | Processed | when HubSpot processed the event, milliseconds since 1970
hs_query_params | string | Query | what follows the ? in the address
hs_referrer | string | Referrer | the address of the page that the visitor came from
hs_title | string | Title | the title of the page, as the browser showed it
hs_url | string | URL | the address of the page, with its query
hs_user_agent | string | User agent | how the browser describes itself
hs_utm_campaign | string | UTM campaign | the campaign that the link names
hs_utm_content | string | UTM content | the content that the link names
hs_utm_medium | string | UTM medium | the medium that the link names, such as email
hs_utm_source | string | UTM source | the source that the link names, such as a newsletter
hs_utm_term | string | UTM term | the search term that the link names
hs_visitor_type | string | Visitor | NEW, RETURNING, CONTACT, …
hs_ad_account_id | string | Ad account | its id at the ad network
hs_ad_campaign_id | string | Ad campaign | its id at the ad network
hs_ad_group_id | string | Ad group | its id at the ad network
hs_ad_id | string | Ad | its id at the ad network
hs_document_id | string | Document | the id of the document
hs_presentation_id | string | Presentation | the id of this link to the document
hs_user_id | string | Owner | the id of the user whose document it is
hs_email_campaign_id | string | Email campaign | the id of the sending
hs_email_meta_content_id | string | Email | the id of the email that was sent
hs_marketing_event | string | Marketing event | the id of the marketing event
"""

# A line without more than a name is that of _SHARED.
_OWN = """
e_visited_page: Page visit
hs_url
hs_url_domain | string | Domain | the host in the address
hs_url_path | string | Path | the path in the address
hs_query_params
hs_base_url
hs_canonical_url | string | Canonical URL | the address that the page gives as its own
hs_original_canonical_url | string | Original canonical URL | the same, before HubSpot normalized it
hs_analytics_normalized_page_url | string | Normalized URL | the address under which analytics count the page
hs_title
hs_page_title
hs_page_id | string | Page | the id of the page, if HubSpot hosts it
hs_targeted_content_aggregation | string | Targeted content | the variants of the page that were shown
hs_referrer
hs_visit_source | string | Source | DIRECT_TRAFFIC, ORGANIC_SEARCH, EMAIL_MARKETING, …
hs_visit_source_details_1 | string | Source, first detail | such as the referring domain
hs_visit_source_details_2 | string | Source, second detail | such as the referring page
hs_utm_campaign
hs_utm_source
hs_utm_medium
hs_utm_content
hs_utm_term
hs_browser
hs_browser_type | string | Browser type | Browser, Mobile Browser, …
hs_browser_version_major | string | Browser version | its major version
hs_browser_fingerprint | string | Browser fingerprint | a hash of features of the browser
hs_operating_system
hs_device_type
hs_device_name | string | Device name | the model of the device
hs_vendor | string | Vendor | the maker of the device
hs_user_agent
hs_country | string | Country | of the visitor, by the address of the device
hs_region | string | Region | of the visitor, by the address of the device
hs_qualified_region | string | Country and region | both in one text
hs_city | string | City | of the visitor, by the address of the device
hs_is_contact | bool | Contact | whether the visitor was a contact
hs_is_new_cookie | bool | New cookie | whether the browser was new to HubSpot
hs_leviathan_linked_vids | string | Contacts | the ids of the contacts that the visitor is linked with
hs_hash_id | string | Hash id | an id of the visit
hs_cf_bot_score | number | Bot score | from 1 (a bot) to 99 (a person)
hs_tracking_privacy_data | string | Privacy | what the visitor has consented to
hs_company_id
hs_company_domain | string | Company domain | the domain of that company
hs_company_domain_by_association | string | Associated company domain | the domain of the contact's company
hs_historical_contact_associatedcompanyid | string | Company then | the id of the contact's company at that time
hs_historical_contact_lifecyclestage | string | Lifecycle stage then | the contact's, at that time
hs_is_amp | bool | AMP | whether it was an AMP page
hs_is_external | bool | External | whether the page is hosted elsewhere
hs_is_in_chat_view | bool | Chat view | whether the page was shown in a chat
hs_is_virtual_referrer | bool | Virtual referrer | whether a script set the referrer
hs_is_virtual_url | bool | Virtual URL | whether a script set the address
hs_log_line_timestamp | number | Logged | when HubSpot logged the event, milliseconds since 1970
hs_processed_timestamp
e_submitted_form: Form submission
hs_form_id
hs_form_type
hs_title
hs_page_title
hs_url
hs_referrer
hs_visitor_type
hs_utm_campaign
hs_utm_medium
hs_utm_source
e_form_submission_v2: Form submission
hs_form_id
hs_form_type
hs_form_correlation_id
hs_base_url
hs_page_title
hs_query_params
hs_referrer
hs_visitor_type
hs_utm_campaign
hs_utm_medium
hs_utm_source
e_form_submission_metadata_v2: Form submission, by the form's title
hs_form_title
hs_form_type
hs_contact_lifecyclestage | string | Lifecycle stage | the contact's, when the form was submitted
hs_page_title
hs_referrer
hs_visitor_type
hs_utm_campaign
hs_utm_medium
hs_utm_source
e_ad_interaction: Ad interaction
hs_ad_account_id
hs_ad_campaign_id
hs_ad_campaign_name | string | Ad campaign name | its name at the ad network
hs_ad_group_id
hs_ad_group_name | string | Ad group name | its name at the ad network
hs_ad_id
hs_ad_name | string | Ad name | its name at the ad network
hs_ad_network | string | Ad network | ADWORDS, FACEBOOK, LINKEDIN, …
hs_interaction_type | string | Interaction | CLICK, LEAD_FORM, …
hs_utm_campaign
hs_utm_medium
hs_utm_source
e_ad_metrics_imported_v0: Ad metrics
hs_ad_account_id
hs_ad_campaign_id
hs_ad_group_id
hs_ad_id
hs_ad_amount_spent | number | Amount spent | in the currency of the ad account
hs_ad_clicks | number | Clicks | of the campaign
hs_ad_engagements | number | Engagements | of the campaign
hs_ad_impressions | number | Impressions | of the campaign
hs_ad_likes | number | Likes | of the campaign
hs_ad_network_conversions | number | Conversions | as the ad network counts them
e_mta_delivered_email_v2: Email delivered
hs_email_campaign_id
hs_email_meta_content_id
hs_processed_timestamp
e_mta_bounced_email_v2: Email bounced
hs_email_campaign_id
hs_email_meta_content_id
hs_bounce_reason | string | Bounce reason | MAILBOX_FULL, UNKNOWN_USER, …
hs_processed_timestamp
e_opened_email_v2: Email opened
hs_email_campaign_id
hs_email_meta_content_id
hs_browser
hs_device_type
hs_operating_system
hs_user_agent
hs_processed_timestamp
e_clicked_link_in_email_v2: Link in an email clicked
hs_email_campaign_id
hs_email_meta_content_id
hs_click_original_url | string | Link | the address that the link leads to
hs_browser
hs_device_type
hs_operating_system
hs_user_agent
hs_processed_timestamp
e_document_shared_v2: Document shared
hs_document_id
hs_presentation_id
hs_user_id
hs_visitor_type
e_document_viewed_v2: Document viewed
hs_document_id
hs_presentation_id
hs_user_id
hs_visitor_type
e_deal_closed: Deal closed
hs_amount | number | Amount | of the deal
hs_closed_state | string | Outcome | CLOSED_WON or CLOSED_LOST
hs_closed_state_reason | string | Reason | why it was won or lost
hs_deal_name | string | Deal name | the name of the deal
hs_deal_owner | string | Deal owner | the id of its owner
hs_pipeline | string | Pipeline | the name of its pipeline
hs_team | string | Team | the id of its team
hs_analytics_latest_source | string | Latest source | where the deal's contact came from last
hs_analytics_latest_source_data_1 | string | Latest source, first detail | more of that source
hs_analytics_latest_source_data_2 | string | Latest source, second detail | more of that source
e_attended_marketing_event: Marketing event attended
hs_marketing_event
hs_processed_timestamp
e_cancelled_marketing_event: Marketing event canceled
hs_marketing_event
hs_processed_timestamp
"""


def _properties(lines: str) -> Iterator[Property]:
    for line in lines.strip().splitlines():
        name, *rest = line.split(" | ")
        kind, label, description = rest or _shared[name][1:4]
        yield Property(name, kind, label, description)


def _definitions() -> Iterator[tuple[str, Definition]]:
    for block in _OWN.strip().split("\ne_"):
        head, _, lines = block.partition("\n")
        name, label = head.removeprefix("e_").split(": ")
        yield f"e_{name}", Definition(label, tuple(_properties(lines)))


_shared = {each.name: each for each in _properties(_SHARED)}
OWN: dict[str, Definition] = dict(_definitions())
