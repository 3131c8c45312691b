"""Every option of the API's behavior is on the command line."""

from simulator.__main__ import _behaviour, _parser


def test_the_answers_of_the_live_api_have_options():
    command = [
        "--cursor-padding", "0", "--cursor-bar", "false", "--cursor-type-id", "6", "--sort", "refused", "--default-limit", "7",
        "--missing-scopes", "older_message", "--store-elsewhere", "e_a", "--store-elsewhere", "e_b",
        "--storage-code", "errors.subcategory", "--max-request-line", "99", "--object-types", "plural", "--occurred-at", "digits",
    ]  # fmt: skip
    behaviour = _behaviour(_parser().parse_args(command), {})
    assert (behaviour.cursor_padding, behaviour.cursor_bar, behaviour.cursor_type_id) == (0, False, "6")
    assert (behaviour.missing_scopes, behaviour.storage_code) == ("older_message", "errors.subCategory")
    assert (behaviour.stored_elsewhere, behaviour.max_request_line) == ({"e_a", "e_b"}, 99)
    assert (behaviour.sort, behaviour.object_types, behaviour.default_limit) == ("refused", "plural", 7)
    assert behaviour.occurred_at == "digits"


def test_by_default_they_are_as_on_the_live_api():
    behaviour = _behaviour(_parser().parse_args([]), {})
    assert (behaviour.cursor_padding, behaviour.cursor_bar, behaviour.cursor_type_id) == (None, None, None)
    assert (behaviour.missing_scopes, behaviour.sort, behaviour.object_types) == ("message", "broken", "any")
    assert behaviour.occurred_at == "text"
    assert (behaviour.default_limit, behaviour.max_request_line) == (20, 16_384)
