"""HubSpot events for Fivetran: every event type a table, every event once, resumable at any moment.

For each event type: pages of the time range, unwrapped, flattened, lists serialized, deduplicated
by id, upserted, and every N records the last-occurred cursor is saved. The sentence itself is
`deliver` in pipeline/connection/deliver.py. With several workers, the cursor that is saved is the
reader's watermark: later rows may be delivered already.
"""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from fivetran_connector_sdk import ConfigurationForm, Connector, Test, form_field
from fivetran_connector_sdk import Logging as log
from fivetran_connector_sdk import Operations as op

from pipeline import ConnectorError, Sink, read_settings, sync
from pipeline.config.connect import Definitions
from pipeline.config.keys import KEYS, REQUIRED, SECRETS, Key
from pipeline.config.settings import gone_keys, unknown_keys
from pipeline.connection.setup_tests import SETUP_TESTS
from pipeline.tables.schema import declare_tables

if hasattr(sys, "set_int_max_str_digits"):  # from Python 3.10.7 on
    # The SDK makes a number of a text of digits to infer its type, however many there are.
    sys.set_int_max_str_digits(0)


class Declared(NamedTuple):
    """What schema() was last given, declared (types of columns, by table) and read of HubSpot."""

    configuration: dict[str, str]
    tables: dict[str, dict[str, Any]]
    definitions: list[Definitions]


# For update(), since a row of an undeclared table would have no key. A global, because the SDK
# calls both in one process but passes nothing between them.
_declared: Declared | None = None


def schema(configuration: dict) -> list:
    """Declares every table. Errors are left to update(), which can report them."""
    global _declared
    definitions: list[Definitions] = []
    tables = declare_tables(configuration, definitions.append)
    columns = {table["table"]: table["columns"] for table in tables}
    _declared = Declared(dict(configuration), columns, definitions)
    return tables


def update(configuration: dict, state: dict) -> None:
    """Delivers every event since the saved state. Ends in op.error, with the cure, when it cannot
    continue.
    """
    for sentence in (*gone_keys(configuration), *unknown_keys(configuration)):
        log.warning(sentence)
    try:
        sink = Sink(op.upsert, op.checkpoint, op.warning, log.info)
        if _declared is not None and _declared.configuration == configuration:
            known = _declared.tables, next(iter(_declared.definitions), None)
            sync(read_settings(configuration), state, sink, *known)
        else:
            sync(read_settings(configuration), state, sink)
    except ConnectorError as error:
        op.error(str(error))


def configuration_form() -> ConfigurationForm:
    """The setup form: every key that has a label, and the setup tests."""
    form = ConfigurationForm()
    for name, key in KEYS.items():
        if key.label:
            form.add_field(_field(name, key))
    for label, check in SETUP_TESTS.items():
        form.add_test(label=label, func=_setup_test(check))
    return form


def _field(name: str, key: Key) -> Any:
    """A key as a field of the form."""
    label = key.label if name in REQUIRED else f"{key.label} (optional)"
    texts = {
        "description": key.help + (f" Default: {key.default}" if key.default else ""),
        "required": name in REQUIRED,
    }
    if key.choices:
        return form_field.DropdownField(
            name, label, fields=[form_field.DropdownFieldParam(c) for c in key.choices], **texts
        )
    kind = form_field.TextField.password if name in SECRETS else form_field.TextField.plain_text
    return form_field.TextField(name, label, kind, placeholder=key.default or None, **texts)


def _setup_test(check: Callable[[dict[str, str]], None]) -> Callable[[dict[str, str]], Any]:
    @wraps(check)
    def test(configuration: dict[str, str]) -> Any:
        try:
            check(configuration)
        except ConnectorError as error:
            return Test().failure(str(error))
        return Test().success()

    return test


connector = Connector(update=update, schema=schema, configuration_form=configuration_form)

# Runs `fivetran debug`, which unlike connector.debug() resumes, and reads an encrypted token.
if __name__ == "__main__":
    from fivetran_connector_sdk import main

    programs = os.path.dirname(sys.executable)  # the SDK's helpers
    os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", "")])
    sys.argv[1:] = ["debug", os.path.dirname(os.path.abspath(__file__)), *sys.argv[1:]]
    main()
