"""The token goes to HubSpot and nowhere else: not into the log, the state, a crash report or the warehouse.

For the package, test_connector.py proves it; for http to other machines, tests/config/test_parsers.py; for redirects
and .netrc, test_client.py.
"""

import re
import traceback

import pytest
from fivetran_connector_sdk_common import constants

from pipeline import Client, ConnectorError
from pipeline.config.keys import KEYS
from pipeline.errors import Unavailable
from pipeline.hubspot import client, failures
from simulator import Behaviour, Simulator, generated
from tests.hubspot.wire import Wire, http, needs_openssl, self_signed
from tests.sdk import ROOT, everything_left, run
from tests.support import TYPE, Delivered, configuration, sync_into

TOKEN = "pat-na1-5ec2e75e-c2e7-4a11-9b0d-7b1d94e3f06c"
# a service key's look is not documented
LOOKS = {"of a private app": TOKEN, "of any other look": TOKEN.removeprefix("pat-na1-")}
PIECES = ("5ec2e75e", "c2e7-4a11", "7b1d94e3f06c")
pytestmark = pytest.mark.usefixtures("home")


def left_by(project, capfd, keys, tmp_path):
    """The error that a run ended in, if any, and everything it left: its output, its files, that error."""
    ended = ""
    try:
        run(project, keys)
    except BaseException as error:  # ConnectorTask is not an Exception
        ended = str(error)
    printed = capfd.readouterr()
    return ended, "\n".join([ended, printed.out, printed.err, everything_left(tmp_path).decode("latin-1")])


def left_by_sync(sim, **keys):
    """The same of a sync into plain lists, which costs a tenth."""
    ended, delivered = "", Delivered()
    try:
        sync_into(delivered, sim, api_token=TOKEN, **keys)
    except ConnectorError:
        ended = traceback.format_exc()
    return ended, ended + repr(vars(delivered))


def assert_hidden(left):
    assert not [piece for piece in PIECES if piece in left]


FAILURES = {
    "401": {"token": "pat-na1-another"}, "403": {"forbidden": [TYPE]}, "530": {"fault": lambda asked: "530"},
    "daily": {"fault": lambda asked: "429:daily"}, "outage": {"fault": lambda asked: "reset"}, "limit": {"max_limit": 10},
    "redirect": {"fault": lambda asked: "redirect", "redirect_to": f"http://127.0.0.1:1/?hapikey={TOKEN}"},
    "half a sync": {"fault": lambda asked: "400" if asked.number > 2 else None}, "none": {},
}  # fmt: skip


@pytest.mark.parametrize("mode", FAILURES)
def test_no_failure_of_hubspot_leaves_the_token_anywhere(project, capfd, tmp_path, mode):
    with Simulator({TYPE: generated(300)}, Behaviour(**FAILURES[mode])) as sim:
        keys = {"page_size": "50", "max_outage_minutes": "0.01", "checkpoint_interval": "10"}
        if mode == "half a sync":
            given = configuration(sim, api_token=TOKEN, **keys)
            ended, left = left_by(project, capfd, given, tmp_path)
        else:
            ended, left = left_by_sync(sim, **keys)
        assert sim.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert bool(ended) == (mode != "none")
    assert_hidden(left)


ECHO = {"message": f"token {TOKEN} is bad", "correlationId": TOKEN, "category": TOKEN, "errors": [{"message": TOKEN}],
        "context": {"requiredScopes": [TOKEN]}}  # fmt: skip
ECHOES = {
    **{str(status): http(ECHO, status) for status in (400, 401, 403, 404, 429, 477, 500, 530)},
    "no JSON": http(TOKEN.encode()), "HTML": http(f"<p>{TOKEN}</p>".encode(), 502), "headers": http(b"", 302, Location=TOKEN),
    "a date": http(ECHO, 503, Retry_After=TOKEN, Date=TOKEN), "no HTTP": f"{TOKEN}\r\n\r\n".encode(),
    "repeating cursor": http({"results": [], "paging": {"next": {"after": TOKEN}}}),
}  # fmt: skip


@pytest.mark.parametrize("echo", ECHOES)
def test_no_answer_that_echoes_the_token_leaves_it_anywhere(echo, monkeypatch):
    monkeypatch.setattr(failures, "MAX_UNUSABLE", 2)
    with Wire(ECHOES[echo]) as wire:
        ended, left = left_by_sync(wire, max_outage_minutes="0.0001")
    assert ended
    assert_hidden(left)


MISTAKES = {
    **{key: lambda token, key=key: {key: token} for key in KEYS if key != "api_token"},
    "no token": lambda token: {"api_token": "", "event_types": token},
    "among event types": lambda token: {"event_types": f"{TYPE}, {token}"},
    "in a URL": lambda token: {"api_base_url": f"https://{token}@api.hubapi.com"},
    "in a path": lambda token: {"api_base_url": f"https://api.hubapi.com/{token}"},
    "unknown key": lambda token: {"token": token}, "as a key": lambda token: {token: "1"},
    "twice": lambda token: {"api_token": f"{token} {token}"}, "with its word": lambda token: {"api_token": f"Bearer {token}"},
    "in a list": lambda token: {"page_size": [token]}, "with a mistake": lambda token: {"page_size": "0", "start": token},
    "in quotes": lambda token: {"api_token": f'"{token}"', "api_version": token},
}  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_token_in_the_wrong_place_of_the_configuration_is_left_nowhere(project, capfd, tmp_path, mistake, look):
    token = LOOKS[look]
    with Simulator({TYPE: generated(20)}) as sim:
        _, left = left_by(project, capfd, configuration(sim, api_token=token) | MISTAKES[mistake](token), tmp_path)
    assert_hidden(left)


@pytest.mark.parametrize("wrong, state, named", [
    ({"page_size": "many"}, "{}", "page_size"), ({}, "{}", "Connection"), ({}, '{"version": 99}', "version"),
], ids=["mistake", "unreachable", "broken state"])  # fmt: skip
def test_an_error_without_an_answer_is_shown_without_the_token(project, capfd, tmp_path, wrong, state, named):
    (project / "files").mkdir()
    (project / "files" / "state.json").write_text(state)
    keys = configuration(Simulator({}), api_token=TOKEN, max_outage_minutes="0.001", **wrong)
    ended, left = left_by(project, capfd, keys, tmp_path)
    assert named in ended
    assert_hidden(left)


def test_the_crash_report_of_a_bug_does_not_contain_the_token(project, capfd, tmp_path, monkeypatch):
    monkeypatch.setattr(client, "_parse", lambda body: 1 / 0)
    with Simulator({TYPE: generated(20)}) as sim:
        _, left = left_by(project, capfd, configuration(sim, api_token=TOKEN), tmp_path)
    assert b"ZeroDivisionError" in everything_left(project / constants.CRASH_REPORTS_DIR)
    assert_hidden(left)


# Where it goes


SWITCHES = {
    "PYTHONHTTPSVERIFY": "0", "SSL_NO_VERIFY": "0", "NODE_TLS_REJECT_UNAUTHORIZED": "0", "CURL_CA_BUNDLE": "",
    "REQUESTS_CA_BUNDLE": "",
}  # fmt: skip


@needs_openssl
@pytest.mark.parametrize("loopback", [True, False])
def test_tls_verification_cannot_be_switched_off(tmp_path, monkeypatch, loopback):
    """`heads` is what a client sends once it trusts the server."""
    _, context = self_signed(tmp_path)
    # for other hosts, the environment counts
    monkeypatch.setattr(client, "is_loopback", lambda host: loopback)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name, off in SWITCHES.items():
        monkeypatch.setenv(name, off)
    with Wire(http({"results": []})) as wire:
        wire._server.socket = context.wrap_socket(wire._server.socket, server_side=True)
        asking = Client(TOKEN, wire.url.replace("http:", "https:"), "2026-03", max_outage=1)
        with asking, pytest.raises(Unavailable, match="CERTIFICATE_VERIFY"):
            asking.page({"eventType": TYPE})
    assert not wire.heads


def test_no_key_of_the_configuration_concerns_certificates_or_proxies():
    assert not [key for key in KEYS if re.search("verif|tls|ssl|cert|proxy|insecure", key)]


# Dependencies


def test_every_production_dependency_is_pinned_exactly():
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    assert lines and all(re.fullmatch(r"[a-z0-9_.-]+==\d+(\.\d+)+", line) for line in lines if line)
