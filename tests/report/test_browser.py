"""The report's page in a browser: on a phone and on a desktop, in light and dark, and by the keyboard alone."""

import json
import shutil
from datetime import datetime, timedelta

import pytest

from tests.report.warehouses import a_run
from tests.support import TYPE

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.fixture(scope="module")
def browser():
    if not BROWSER or not DRIVER:
        pytest.skip("no chromium with chromedriver on the PATH (Debian: apt-get install chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def show(browser, path, width, theme):
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    )
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(path.as_uri())


# Texts that end to the right of what holds them, and moments that a line breaks. Tables scroll by
# themselves; on a desktop, those with a line for each type or sync need not.
TOO_WIDE = r"""
const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
const range = document.createRange()
for (let text; text = walker.nextNode();) {
    range.selectNodeContents(text)
    const holder = text.parentElement.closest('table, .card, .tiles div, body')
    const right = holder.getBoundingClientRect().right, boxes = [...range.getClientRects()]
    if (boxes.some(each => each.right > right + 0.5)) found.push('wide: ' + text.data)
    for (const moment of text.data.matchAll(/\d{4}-\d\d-\d\d[T ]\d\d:[\d:.]+Z?/g)) {
        range.setStart(text, moment.index)
        range.setEnd(text, moment.index + moment[0].length)
        if (new Set([...range.getClientRects()].map(each => each.top)).size > 1) found.push('broken: ' + moment[0])
    }
}
const regions = innerWidth > 1000 ? document.querySelectorAll('.scroll') : []
return [...found, ...[...regions].filter(each => each.scrollWidth > each.clientWidth).map(each => each.ariaLabel)]
"""


def test_a_browser_shows_it_on_a_phone_and_on_a_desktop_in_light_and_dark(browser, full):
    grounds = set()
    for width, theme in ((320, "light"), (390, "dark"), (1280, "light"), (1280, "dark")):
        show(browser, full.path, width, theme)
        browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        assert browser.execute_script(TOO_WIDE) == [], f"at {width} px"
        assert browser.execute_script(
            "return [...document.querySelectorAll('svg')].every(each => each.getBBox().width > 100)"
        )
        grounds.add(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
        seen = browser.execute_script("return document.querySelector('.tiles dd').firstChild.textContent")
        assert int(seen.replace(",", "")) == sum(full.column("Event types", "Events").values())
    assert len(grounds) == 2
    assert browser.get_log("browser") == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {each["params"]["request"]["url"] for each in sent if each["method"] == "Network.requestWillBeSent"}
    assert urls == {full.path.as_uri()}


def test_the_keyboard_alone_reaches_everything(browser, full):
    show(browser, full.path, 1280, "light")

    def press(key):
        browser.switch_to.active_element.send_keys(key)
        return browser.switch_to.active_element

    tab, enter = "\ue004", "\ue007"
    skip = press(tab)
    assert skip.text == "To the content" and skip.value_of_css_property("outline-style") == "solid"
    assert skip.rect["y"] >= 0
    for _ in browser.find_elements("css selector", "header a"):
        press(tab)
    contents = [press(tab).get_attribute("href").partition("#")[2] for _ in range(6)]
    assert contents == ["types", "freshness", "gaps", "late", "rejected", "syncs"]
    press(enter)
    assert browser.execute_script("return Math.abs(document.querySelector('#syncs').getBoundingClientRect().top) < 200")
    browser.execute_script("document.querySelector('summary').focus()")
    press(enter)
    assert browser.execute_script("return document.querySelector('details').open")
    table = press(tab)
    assert table.get_attribute("role") == "region" and table.get_attribute("aria-label").startswith("Events of")


OVERLAPPING = """
const box = text => ({text: text.textContent, ...text.getBoundingClientRect().toJSON()})
const meet = (one, other) => one.right > other.left && other.right > one.left && one.bottom > other.top && other.bottom > one.top
return [...document.querySelectorAll('article')].flatMap(card => {
    const right = card.getBoundingClientRect().right, boxes = [...card.querySelectorAll('svg text')].map(box)
    const pairs = boxes.flatMap((one, place) => boxes.slice(place + 1).map(other => [one, other]))
    return [...pairs.filter(([one, other]) => meet(one, other)), ...boxes.filter(each => each.left < 0 || each.right > right)]
})
"""


@pytest.mark.parametrize("number", [1, 2, 4, 9, 200])
def test_labels_do_not_overlap_however_many_syncs_and_days_there_are(browser, page_with, number):
    begins = [datetime(2026, 1, 1, 22, 50) + timedelta(days=place) for place in range(number)]
    events = [(str(at), at.isoformat() + "Z", at.isoformat() + "Z") for at in begins]
    page = page_with(
        [a_run(f"{at}Z", seconds_in_pipeline=12_345.6, lag_seconds=0.168) for at in begins], {TYPE: events}
    )
    for width in (320, 1280):
        show(browser, page.path, width, "light")
        assert browser.execute_script(OVERLAPPING) == []
