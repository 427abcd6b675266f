"""A guest that runs: QEMU without KVM, so that it works on every host, and slowly.

Commands go over a serial line to the agent inside. It has no network; what happens in it needs
none.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.guest.image import Image

MEMORY_MIB = 3072
KERNEL_OPTIONS = (
    "root=/dev/vda rw console=ttyS0 panic=-1 quiet mitigations=off systemd.show_status=no "
    "systemd.default_timeout_start_sec=1800 systemd.default_device_timeout_sec=1800"
)
BOOT_TIMEOUT_S = 1800.0
BOOT_WORD = b'{"boot": '
COMMAND_TIMEOUT_S = 900.0
"""Generous: an instruction takes ten times as long as elsewhere, and the host may be busy."""


@dataclass(frozen=True)
class Done:
    status: int
    out: str


class Guest:
    """`folder` has its disk, its console's text and its sockets."""

    def __init__(self, image: Image, code: Path, folder: Path) -> None:
        self._image, self._code, self._folder = image, code, folder
        self._disk = folder / "disk"
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._waiting = b""
        self.boot = ""
        subprocess.run(
            ["cp", "--sparse=always", "--reflink=auto", str(image.disk), str(self._disk)],
            check=True, timeout=600,
        )  # fmt: skip

    @property
    def console(self) -> Path:
        return self._folder / "console.log"

    def start(self) -> None:
        """Switch it on; returns when its agent answers."""
        place = self._folder / "agent.sock"
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        program = shutil.which("qemu-system-x86_64", path=path)
        assert program is not None
        # What the guest has written is safe with this host, whatever becomes of qemu.
        disk = "format=raw,if=virtio,cache=unsafe"
        self._process = subprocess.Popen(
            [
                program, "-nodefaults", "-display", "none", "-no-user-config",
                "-machine", "q35", "-cpu", "max", "-accel", "tcg,thread=multi,tb-size=512",
                "-smp", "2", "-m", str(MEMORY_MIB),
                "-kernel", str(self._image.kernel), "-initrd", str(self._image.initrd),
                "-append", KERNEL_OPTIONS,
                "-drive", f"file={self._disk},{disk}",
                "-drive", f"file={self._code},{disk},readonly=on",
                "-device", "virtio-rng-pci",
                "-nic", "user,restrict=on,model=virtio-net-pci",
                "-serial", f"file:{self.console}",
                "-serial", f"unix:{place},server=on,wait=off",
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self._line = self._connect(place)
        self._await_boot()

    def _connect(self, place: Path) -> socket.socket:
        deadline = time.monotonic() + 60
        while True:
            item = socket.socket(socket.AF_UNIX)
            try:
                item.connect(str(place))
                return item
            except OSError:
                item.close()
                assert time.monotonic() < deadline, "qemu does not open its serial line"
                time.sleep(0.1)

    def _await_boot(self) -> None:
        """What the agent of the boot before left unsaid, or half said, does not matter."""
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while True:
            line = self._receive_line(max(deadline - time.monotonic(), 0.1))
            _, start, rest = line.rpartition(BOOT_WORD)
            boot = json.loads(start + rest)["boot"] if start else self.boot
            if boot != self.boot:
                self.boot = boot
                return

    def run(
        self, command: str, *, check: bool = True, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> Done:
        """Run a line of bash as root; its exit status and what it wrote."""
        self._send(command, timeout_s)
        done = Done(**json.loads(self._receive_line(timeout_s + 60)))
        assert not check or done.status == 0, f"{command}: status {done.status}\n{done.out}"
        return done

    def reboot(self) -> None:
        """In order, as an operator does it. systemd may end the agent before that has answered."""
        self._send("systemctl reboot", COMMAND_TIMEOUT_S)
        self._await_boot()

    def cut_power(self) -> None:
        """At once, whatever it is doing, and on again."""
        self.off()
        self.start()

    def off(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line, self._waiting = None, b""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(60)
            self._process = None

    def _send(self, command: str, timeout_s: float) -> None:
        assert self._line is not None
        request = {"command": command, "timeout_s": timeout_s}
        self._line.sendall(json.dumps(request).encode() + b"\n")

    def _receive_line(self, timeout_s: float) -> bytes:
        assert self._line is not None
        self._line.settimeout(timeout_s)
        while b"\n" not in self._waiting:
            try:
                data = self._line.recv(65536)
            except TimeoutError as error:
                raise AssertionError(
                    f"the guest is silent for {timeout_s} s; {self._last()}"
                ) from error
            assert data, f"the guest went away; {self._last()}"
            self._waiting += data
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line

    def _last(self) -> str:
        text = self.console.read_text(errors="replace") if self.console.exists() else ""
        return f"its console ends:\n{text[-3000:]}"
