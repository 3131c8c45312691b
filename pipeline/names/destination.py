"""The destination's spelling of a column or table name."""

import re
import unicodedata
from functools import lru_cache


@lru_cache(maxsize=20_000)
def destination_name(name: str) -> str:
    """The name that Fivetran gives to a column or table. Two names with the same destination name
    become one column, and one value is lost.

    The rule is that of fivetran_connector_sdk_core.renaming. Production does not install that
    package, hence this copy; a test compares the two.

    >>> destination_name("eventType"), destination_name("e_form_v2"), destination_name("Événement!")
    ('event_type', 'e_form_v_2', 'evenement_')
    """
    if not re.fullmatch(r"[\w.-]*", name, re.ASCII):
        bare = (c for c in unicodedata.normalize("NFD", name) if unicodedata.category(c) != "Mn")
        name = unicodedata.normalize("NFC", "".join(bare))
    name = re.sub(r"\W", "_", name, flags=re.ASCII)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[0-9])(?=[^0-9])|(?<=[^0-9])(?=[0-9])|^(?=[0-9])", "_", name)
    return re.sub("_+", "_", name.lower())
