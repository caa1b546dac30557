"""Drive Chromium through its debugging pipe: any width, either colour scheme, and what a page says of itself."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync",
         "--disable-component-update", "--hide-scrollbars")  # fmt: skip
DARK = "--blink-settings=preferredColorScheme=0"
HEIGHT = 900
LAUNCHER = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]  # whatever their numbers are
for number, end in zip((3, 4), ends):
    os.dup2(end, number)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def count(picture, colour):
    """Return how many points of a picture have a colour."""
    import numpy as np

    return int(np.all(picture == colour, axis=2).sum())


class Page:
    """A tab of a browser."""

    def __init__(self, browser, session):
        self._browser, self._session = browser, session

    def send(self, method, **parameters):
        """Send a command of the DevTools protocol, and return its result."""
        return self._browser.send(method, self._session, **parameters)

    def open(self, address, *, width=1200, dark=False, scripts=True, media="screen"):
        """Open an address as a screen of this width and a system of these colours shows it."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=HEIGHT, deviceScaleFactor=1, mobile=False)
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.send("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.send("Page.enable")
        self.send("Page.navigate", url=address)
        self._browser.wait_for("Page.loadEventFired", self._session)

    def value(self, script):
        """Return the value of an expression, or what its promise gives, as JSON has it."""
        found = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def visible(self, selector):
        """Return the ids of the elements that are shown, also where scripts are off."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        found = self.send("DOM.querySelectorAll", nodeId=root, selector=selector)["nodeIds"]
        shown = []
        for node in found:
            try:
                self.send("DOM.getBoxModel", nodeId=node)
            except AssertionError:  # it has no box
                continue
            attributes = self.send("DOM.getAttributes", nodeId=node)["attributes"]
            shown.append(dict(zip(attributes[::2], attributes[1::2], strict=True)).get("id", ""))
        return shown

    def picture(self, *, whole=False):
        """Return a picture of the window, or of the whole page, as an array of its colours."""
        import numpy as np
        from PIL import Image

        shot = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB"))


class Browser:
    """A browser that answers on a pipe."""

    def __init__(self, out, answers):
        self._out, self._answers = out, answers
        self._numbers = itertools.count(1)
        self._events, self._read = [], b""

    def send(self, method, session=None, **parameters):
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        self._out.write(json.dumps(command).encode() + b"\0")
        self._out.flush()
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._events.append(answer)

    def wait_for(self, event, session):
        while True:
            for at, each in enumerate(self._events):
                if each.get("method") == event and each.get("sessionId") == session:
                    del self._events[: at + 1]
                    return
            self._events.append(self._next())

    def _next(self):
        while b"\0" not in self._read:
            part = os.read(self._answers, 1 << 20)
            assert part, "the browser has ended"
            self._read += part
        answer, _, self._read = self._read.partition(b"\0")
        return json.loads(answer)

    def page(self):
        """Return a new tab."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        return Page(self, self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])


@contextmanager
def chromium(profile):
    """Run Chromium with a profile in this folder."""
    theirs, ours = os.pipe(), os.pipe()  # it reads from 3 and writes to 4
    command = [CHROMIUM, "--headless", "--no-sandbox", *QUIET, "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    launcher = [sys.executable, "-c", LAUNCHER, str(theirs[0]), str(ours[1]), *command]
    process = subprocess.Popen(launcher, pass_fds=(theirs[0], ours[1]), stderr=subprocess.DEVNULL)
    os.close(theirs[0])
    os.close(ours[1])
    with os.fdopen(theirs[1], "wb") as out, os.fdopen(ours[0], "rb", buffering=0) as answers:
        try:
            browser = Browser(out, answers.fileno())
            yield browser
            browser.send("Browser.close")
        finally:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
