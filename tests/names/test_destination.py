"""A destination name is the one that Fivetran makes."""

from fivetran_connector_sdk_core.renaming import Renaming
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.hubspot.events_api import FIELDS
from pipeline.names.columns import ADDED
from pipeline.names.destination import destination_name

RULE = Renaming(True).column
TRICKY = [
    *FIELDS, *ADDED, "eventTYPE", "EVENT_TYPE", "ID", "i_d", "propertiesId", "properties__id", "__id", "_", "", "__", "aB", "A_B",
    "a.b", "a b", "é", "_1", "a1", "a_1", "1a", "_fivetranDeleted", "日本",
]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.text() | st.text("aZéÀß09٣²_-. !\u0301\u0307İǅ", max_size=12) | st.sampled_from(TRICKY))
@example("")
@example("İI")
@example("9a\n")
def test_a_name_becomes_what_fivetran_makes_of_it(name):
    assert destination_name(name) == RULE(name)
