"""A real browser: Chromium without a window, told what to do over a pipe (DevTools protocol).

What is seen of a page is what a visitor would complain of: its text, files that are missing, and
errors of its scripts. Other hosts are out of the question: what a page wants of them is refused,
and not counted.
"""

import json
import os
import select
import shutil
import subprocess
import time
from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PROGRAM = "chromium"
QUIET_S = 0.7
"""So long nothing was asked for: the page is complete."""
_ATTEMPTS = 4
_DISTURBED = "net::ERR_NETWORK_CHANGED"
_CHOSEN = (
    "--headless=new",
    "--no-sandbox",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE *.localhost",
)
_TEXT = "document.documentElement.outerHTML"
_SEEN = "document.body?.innerText?.trim() ?? ''"


@dataclass
class Page:
    """`text` is the document as scripts have left it, followed by what a reader sees (`seen`)."""

    text: str = ""
    seen: str = ""
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    picture: bytes = b""

    @property
    def complaints(self) -> list[str]:
        return [*self.failed, *self.errors]


class Browser:
    def __init__(self, home: Path) -> None:
        found = shutil.which(PROGRAM)
        assert found, f"no {PROGRAM}: apt-get install chromium"
        to_read, their_end = os.pipe()
        its_end, self._to = os.pipe()
        self._from = to_read
        # bash, because a POSIX shell knows descriptors of one digit only.
        joined = f'exec "$@" 3<&{its_end} 4>&{their_end}'
        self._process = subprocess.Popen(
            ["bash", "-c", joined, "bash", found, *_CHOSEN, f"--user-data-dir={home}"],
            pass_fds=(its_end, their_end),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(its_end)
        os.close(their_end)
        self._rest = b""
        self._count = 0

    def close(self) -> None:
        """Its own word ends all of its processes; the pipe's end would too."""
        self._send("Browser.close")
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait(30)
        os.close(self._from)
        os.close(self._to)

    def look(self, address: str, text: str, timeout_s: float) -> Page:
        """The page at an address once it is complete and has `text`, or as the time leaves it.

        Again where the host's interfaces changed meanwhile, which aborts all that is asked for:
        each machine of the platform's has one.
        """
        page = Page()
        for _ in range(_ATTEMPTS):
            page = self._look(address, text, timeout_s)
            if not any(_DISTURBED in failure for failure in page.failed):
                break
        return page

    def _look(self, address: str, text: str, timeout_s: float) -> Page:
        target = self._ask("Target.createTarget", 30, url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", 30, targetId=target, flatten=True)
        visit = _Visit(self, attached["sessionId"], urlsplit(address).netloc)
        try:
            return visit.look(address, text, time.monotonic() + timeout_s)
        finally:
            self._ask("Target.closeTarget", 30, targetId=target)

    def _send(self, method: str, session: str = "", **parameters: Any) -> int:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        return self._count

    def _ask(self, method: str, timeout_s: float, **parameters: Any) -> dict[str, Any]:
        wanted, deadline = self._send(method, **parameters), time.monotonic() + timeout_s
        while True:
            message = self.message(deadline - time.monotonic())
            assert message is not None, f"{method}: no answer within {timeout_s} s"
            if message.get("id") == wanted:
                assert "error" not in message, f"{method}: {message['error']}"
                result: dict[str, Any] = message["result"]
                return result

    def send(self, session: str, method: str, **parameters: Any) -> int:
        return self._send(method, session, **parameters)

    def message(self, timeout_s: float) -> dict[str, Any] | None:
        """The next of what it says; None when it says nothing."""
        while b"\0" not in self._rest:
            if not select.select([self._from], [], [], max(0.0, timeout_s))[0]:
                return None
            data = os.read(self._from, 1 << 16)
            assert data, f"{PROGRAM} ended with status {self._process.wait(30)}"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found


class _Visit:
    """One page in the making."""

    def __init__(self, browser: Browser, session: str, host: str) -> None:
        self._browser, self._session, self._host = browser, session, host
        self._page = Page()
        self._asked: dict[str, str] = {}
        self._open: set[str] = set()
        self._answers: dict[int, dict[str, Any]] = {}

    def look(self, address: str, text: str, deadline: float) -> Page:
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._browser.send(self._session, f"{domain}.enable")
        # A visitor who was not here before: some apps let browsers keep a page for an hour.
        self._browser.send(self._session, "Network.setCacheDisabled", cacheDisabled=True)
        self._browser.send(self._session, "Page.navigate", url=address)
        self._listen(QUIET_S)
        while time.monotonic() < deadline:
            self._page.seen = self._value(_SEEN, deadline)
            self._page.text = f"{self._value(_TEXT, deadline)}\n{self._page.seen}"
            if text in self._page.text and self._page.seen and not self._open:
                break
            self._listen(QUIET_S)
        shot = self._answer("Page.captureScreenshot", time.monotonic() + 30)
        self._page.picture = b64decode(shot.get("data", ""))
        return self._page

    def _listen(self, quiet_s: float) -> None:
        """Until nothing was said for so long; to what never rests only ten times as long."""
        end = time.monotonic() + 10 * quiet_s
        while time.monotonic() < end and (message := self._browser.message(quiet_s)):
            self._heard(message)

    def _value(self, expression: str, deadline: float) -> str:
        answer = self._answer("Runtime.evaluate", deadline, expression=expression)
        return str(answer.get("result", {}).get("value", ""))

    def _answer(self, method: str, deadline: float, **parameters: Any) -> dict[str, Any]:
        wanted = self._browser.send(self._session, method, **parameters)
        while wanted not in self._answers:
            message = self._browser.message(deadline - time.monotonic())
            if message is None:
                return {}
            self._heard(message)
        return self._answers.pop(wanted)

    def _heard(self, message: dict[str, Any]) -> None:
        if message.get("sessionId") != self._session:
            return
        if "id" in message:
            self._answers[message["id"]] = message.get("result", {})
        heard = getattr(self, "_on_" + message.get("method", "").replace(".", "_"), None)
        if heard:
            heard(message["params"])

    def _is_ours(self, url: str) -> bool:
        return urlsplit(url).netloc == self._host and not url.endswith("/favicon.ico")

    def _on_Network_requestWillBeSent(self, said: dict[str, Any]) -> None:
        url = said["request"]["url"]
        self._asked[said["requestId"]] = url
        # An event stream never ends.
        if self._is_ours(url) and said.get("type") not in ("EventSource", "WebSocket"):
            self._open.add(said["requestId"])

    def _on_Network_responseReceived(self, said: dict[str, Any]) -> None:
        status, url = said["response"]["status"], said["response"]["url"]
        if status >= 400 and self._is_ours(url):
            self._page.failed.append(f"{status} {url}")
        if "event-stream" in said["response"].get("mimeType", ""):
            self._open.discard(said["requestId"])

    def _on_Network_loadingFinished(self, said: dict[str, Any]) -> None:
        self._open.discard(said["requestId"])

    def _on_Network_loadingFailed(self, said: dict[str, Any]) -> None:
        self._open.discard(said["requestId"])
        url = self._asked.get(said["requestId"], "")
        if self._is_ours(url) and not said.get("canceled"):
            self._page.failed.append(f"{said['errorText']} {url}")

    def _on_Runtime_exceptionThrown(self, said: dict[str, Any]) -> None:
        details = said["exceptionDetails"]
        text = details.get("exception", {}).get("description") or details["text"]
        self._page.errors.append(f"exception: {text[:500]}")

    def _on_Runtime_consoleAPICalled(self, said: dict[str, Any]) -> None:
        if said["type"] == "error":
            words = (str(a.get("value", a.get("description", ""))) for a in said["args"])
            self._page.errors.append(f"console: {' '.join(words)[:500]}")

    def _on_Log_entryAdded(self, said: dict[str, Any]) -> None:
        entry = said["entry"]
        url = entry.get("url", "")
        # What the network has failed at is counted there.
        if entry["level"] == "error" and entry["source"] != "network" and self._is_ours(url):
            self._page.errors.append(f"{entry['source']}: {entry['text'][:500]}")
