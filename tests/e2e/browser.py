"""Headless Chromium, logged in to a Home Assistant: pages, screenshots, and whether the visual editor copes.

    with Browser(ha) as browser:
        browser.device_page(device_id, "build/device.png")
        assert browser.automation_editor(automation_id, "build/automation.png") == []
"""
import json
import os
import shutil
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
ROWS = ", ".join(f"ha-automation-{kind}-row" for kind in ("trigger", "condition", "action", "option"))
HEADER = "[slot=header]"


class Browser:
    """One page; it resolves no name but 127.0.0.1."""

    def __init__(self, ha, size=(1280, 900), dark=False):
        self.ha = ha
        self._playwright = sync_playwright().start()
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-headless-shell")
        self._browser = self._playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        context = self._browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light", locale="en-GB",
            timezone_id=ha.api("GET", "/api/config")["time_zone"])  # the person who looks lives in the home
        tokens = {"access_token": ha.token, "token_type": "Bearer", "expires_in": 86400, "hassUrl": ha.url,
                  "clientId": f"{ha.url}/", "expires": int(time.time() + 86400) * 1000, "refresh_token": ""}
        context.add_init_script(f"localStorage.setItem('hassTokens', {json.dumps(json.dumps(tokens))})")
        self.page = context.new_page()
        self.page.set_default_timeout(60000)

    def close(self):
        self._browser.close()
        self._playwright.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def open(self, path, wait_for):
        """Opens a page of Home Assistant and waits until the element `wait_for` (CSS, through shadow roots) shows."""
        self.page.goto(self.ha.url + path)
        self.page.locator(wait_for).first.wait_for(state="visible")
        self.settle()

    def settle(self, timeout=15, still=1.0):
        """Waits until the picture has not changed for `still` seconds, or for `timeout` seconds at most."""
        end = time.monotonic() + timeout
        last, since = None, time.monotonic()
        while time.monotonic() < end and time.monotonic() - since < still:
            picture = self.page.screenshot()
            if picture != last:
                last, since = picture, time.monotonic()
            self.page.wait_for_timeout(100)

    def screenshot(self, path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)

    def text(self):
        """All text that has a place on the page, through shadow roots."""
        return self.page.evaluate("""() => {
            const seen = [], range = document.createRange();
            const visit = node => {
                if (node.nodeType === Node.TEXT_NODE) {
                    range.selectNodeContents(node);
                    if (node.textContent.trim() && range.getClientRects().length) seen.push(node.textContent.trim());
                    return;
                }
                if (node.nodeName === 'STYLE' || node.nodeName === 'SCRIPT') return;
                if (node.shadowRoot) visit(node.shadowRoot);
                node.childNodes.forEach(visit);
            };
            visit(document.body);
            return seen.join('\\n');
        }""")

    def device_page(self, device_id, path):
        """Shows a device, takes a picture and returns the page's text."""
        self.open(f"/config/devices/device/{device_id}", "ha-config-device-page ha-device-entities-card")
        self.screenshot(path)
        return self.text()

    def automation_editor(self, automation_id, path):
        """Shows an automation (its `id`, not its entity) in the editor, takes a picture, opens every part of it, and
        returns where the visual editor gave up and showed YAML; empty is good."""
        self.open(f"/config/automation/edit/{automation_id}", "ha-automation-editor")
        self.screenshot(path)
        if not self.page.locator("manual-automation-editor").count():
            return ["the whole automation is shown as YAML"]
        gave_up = []
        index = 0
        while index < self.page.locator(ROWS).count():  # opening a row may reveal rows inside it
            row = self.page.locator(ROWS).nth(index)
            index += 1
            before = self._fallbacks()
            header = row.locator(HEADER).first
            if not header.is_visible():
                gave_up.append(f"part {index} cannot be opened")
                continue
            header.click(position={"x": 8, "y": 8})  # further right may be a chip that opens a dialog
            self.settle(5, 0.5)
            if self._fallbacks() > before:
                gave_up.append(f"part {index}: {header.inner_text().strip()}")
        return gave_up

    def _fallbacks(self):
        """How many YAML editors and how many excuses for them are to be seen."""
        return (self.page.locator("ha-yaml-editor").filter(visible=True).count()
                + self.text().count("editor is not supported"))
