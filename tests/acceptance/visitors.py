"""Visitors of an app who come all the time, also while nothing listens."""

import contextlib
import threading

import httpx


class Visitors:
    """Ask for a page five times a second, each on a connection of its own, once one is taken."""

    def __init__(self, port: int, host: str) -> None:
        self._address = f"http://127.0.0.1:{port}/", {"Host": host}
        self._over = threading.Event()
        self._asking: list[threading.Thread] = []
        self.statuses: list[int] = []
        self.told: list[str] = []

    def __enter__(self) -> "Visitors":
        self._coming = threading.Thread(target=self._come)
        self._coming.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in (self._coming, *self._asking):
            each.join()

    def _come(self) -> None:
        while not self._over.wait(0.2):
            self._asking.append(threading.Thread(target=self._ask))
            self._asking[-1].start()

    def _ask(self) -> None:
        url, headers = self._address
        with contextlib.suppress(httpx.ConnectError):
            answer = httpx.get(url, headers=headers, timeout=60)
            self.statuses.append(answer.status_code)
            if answer.status_code != 200:
                self.told.append(answer.text)
