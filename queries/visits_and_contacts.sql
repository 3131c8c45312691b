-- Visits and contacts: each page visit with the contact whose visit it is today, from the tables of Fivetran's own HubSpot
-- connector. A visit of a contact that was merged into another, however often, belongs to the contact that remains.
--
-- One row per visit:
--   id, occurred_at, hs_url   of the visit
--   object_id                 the contact as HubSpot recorded the visit
--   contact_id                the contact as it is today; NULL if Fivetran's table does not have it
--   property_email            its address
--   is_deleted                whether the contact was deleted in HubSpot
--
-- Change: `tester` to the schema of the events, `hubspot` to that of Fivetran's HubSpot connector. Name further columns of the
-- contact (property_...) where its address is.
--
-- How merges are told: contact.property_hs_merged_object_ids lists, separated by semicolons, the ids of the contacts that were
-- merged into this one. (The table contact_merge_audit is gone since November 2022, and property_hs_calculated_merged_vids
-- misses merges of merges.) The column can arrive as a number, where each list is one id. Merged contacts can still be rows of
-- the table, and are not marked as deleted.
-- Sources: the dbt package fivetran/dbt_hubspot, macro merge_contacts; its releases 1.1.0, 1.5.0 and 1.7.2, its issues 46, 168
-- and 172; https://fivetran.com/docs/applications/hubspot/changelog (November 2022).

WITH RECURSIVE merged AS (
    -- Each contact that was merged, and one that lists it: any will do, since all of them end at the same contact.
    SELECT TRIM(part.value) AS contact_id, MAX(CAST(contact.id AS STRING)) AS into_id
    FROM hubspot.contact AS contact
    CROSS JOIN UNNEST(SPLIT(CAST(contact.property_hs_merged_object_ids AS STRING), ';')) AS part(value)
    WHERE TRIM(part.value) NOT IN ('', CAST(contact.id AS STRING))
    GROUP BY TRIM(part.value)
),

today AS (
    -- Each id, and the contact that remains of it: first those that were never merged, then those merged into them, and so on.
    SELECT CAST(contact.id AS STRING) AS object_id, CAST(contact.id AS STRING) AS contact_id
    FROM hubspot.contact AS contact
    WHERE CAST(contact.id AS STRING) NOT IN (SELECT contact_id FROM merged)
    UNION ALL
    SELECT merged.contact_id, today.contact_id
    FROM today
    INNER JOIN merged ON merged.into_id = today.object_id
)

SELECT
    visit.id, visit.occurred_at, visit.hs_url, visit.object_id, today.contact_id,
    contact.property_email, contact._fivetran_deleted AS is_deleted
FROM tester.e_visited_page AS visit
LEFT JOIN today ON today.object_id = visit.object_id AND visit.object_type = 'CONTACT'
LEFT JOIN hubspot.contact AS contact ON CAST(contact.id AS STRING) = today.contact_id
ORDER BY visit.occurred_at, visit.id

-- On Snowflake:
--   UNNEST(SPLIT(CAST(contact.property_hs_merged_object_ids AS STRING), ';')) AS part(value)   becomes
--   LATERAL SPLIT_TO_TABLE(CAST(contact.property_hs_merged_object_ids AS STRING), ';') AS part
-- On BigQuery:
--   AS part(value)   becomes   AS part
--   part.value       becomes   part
