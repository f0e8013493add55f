"""One page in a browser, and what can be seen of it."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path

SHOTS = os.environ.get("EDGEKIT_SHOTS", "")  # a folder to keep pictures of the page in, for people


class Look:
    """One page in the browser."""

    def __init__(self, driver, width=1280, height=800, scheme="light"):
        self.driver, self.width, self.height, self.scheme = driver, width, height, scheme
        self.driver.get("about:blank")
        self.driver.get_log("browser")

    def open(self, url):
        phone = self.width < 600
        size = {"width": self.width, "height": self.height, "deviceScaleFactor": 1, "mobile": phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = {"features": [{"name": "prefers-color-scheme", "value": self.scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        self.driver.get(url)
        return self

    def ask(self, script, *values):
        return self.driver.execute_script(f"return {script}", *values)

    def text(self, selector):
        return self.ask(
            "[...document.querySelectorAll(arguments[0])].map((one) => one.textContent).join('|')", selector
        )

    def condition(self, name):
        return self.ask("document.querySelector(`[data-camera='${arguments[0]}']`)?.dataset.condition", name)

    def picture(self, name):
        """What the camera's picture shows now, as a few numbers; None before it shows any."""
        return self.ask(
            """((name) => {
                const image = document.querySelector(`[data-camera='${name}'] img`);
                if (!image || !image.naturalWidth) return null;
                const canvas = document.createElement("canvas");
                canvas.width = canvas.height = 16;
                canvas.getContext("2d").drawImage(image, 0, 0, 16, 16);
                return canvas.getContext("2d").getImageData(0, 0, 16, 16).data.join();
            })(arguments[0])""",
            name,
        )

    def pictures_in(self, name, seconds):
        """How many different pictures were seen within some time."""
        seen, until_s = set(), time.monotonic() + seconds
        while time.monotonic() < until_s:
            seen.add(self.picture(name))
            time.sleep(0.03)
        return len(seen - {None})

    def wait(self, what, within_s):
        """Seconds until it is true; fails if it never is."""
        started_s = time.monotonic()
        while not what():
            assert time.monotonic() - started_s < within_s, self.text("body")
            time.sleep(0.05)
        return time.monotonic() - started_s

    def complaints(self):
        return [line["message"] for line in self.driver.get_log("browser")]

    def keep(self, name):
        """A picture of the whole page, for people, where a folder for them is named."""
        if not SHOTS:
            return
        height = max(self.height, self.ask("document.documentElement.scrollHeight"))
        area = {"x": 0, "y": 0, "width": self.width, "height": height, "scale": 1}
        options = {"format": "png", "captureBeyondViewport": True, "clip": area}
        data = self.driver.execute_cdp_cmd("Page.captureScreenshot", options)["data"]
        (Path(SHOTS) / f"{name}.png").write_bytes(base64.b64decode(data))
