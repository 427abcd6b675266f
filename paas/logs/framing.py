"""A line of a log as a drain gets it: a syslog message, with the number of its bytes before it.

RFC 6587 (octet counting) around RFC 5424, as Heroku has it: over TCP the host is the drain's token;
over HTTPS (`application/logplex-1`, Dev Center, "HTTPS log drains") it is `host`, and the field for
structured data is left out. Each message ends its line, as Heroku's do: receivers that know no
counts go by that.
"""

from datetime import UTC, datetime

from paas.logs.line import LogLine, now_line, written

APP, PLATFORM, API, ROUTER, OVERFLOW = 190, 45, 134, 158, 172
"""Facility and severity, as Heroku gives them: local7.info, syslog.notice, local0.info, local3.info
and local5.warning."""


def syslog(line: LogLine, token: str) -> bytes:
    return _counted(line, token, "- - ")


def logplex(line: LogLine) -> bytes:
    return _counted(line, "host", "- ")


def overflow(time_ns: int, count: int, since_ns: int) -> LogLine:
    """The line that says how many there would have been: Heroku's L10."""
    moment = datetime.fromtimestamp(since_ns // 10**9, UTC).isoformat()
    text = f"Error L10 (output buffer overflow): {count} messages dropped since {moment}"
    return now_line(time_ns, "heroku", "logplex", text)


def _counted(line: LogLine, host: str, rest: str) -> bytes:
    head = f"<{_priority(line)}>1 {written(line.time_ns)} {host} {line.source} {line.process} "
    message = f"{head}{rest}{line.text}\n".encode("utf-8", "replace")
    return b"%d %b" % (len(message), message)


def _priority(line: LogLine) -> int:
    if line.source == "app":
        return API if line.process == "api" else APP
    return {"router": ROUTER, "logplex": OVERFLOW}.get(line.process, PLATFORM)
