"""Apps that sleep: their requests wait, whoever watches is told once, and all are answered."""

from typing import Any


def _asleep(app: Any, **routing: Any) -> dict[str, Any]:
    return {**app.entry, "state": "asleep", "instances": [], "routing": routing}


def _queued(router: Any, app: Any) -> int:
    count: int = router.ask({"type": "status"})["apps"][app.id]["queued"]
    return count


def test_requests_wait_until_the_app_is_awake(own_router: Any, make_app: Any, until: Any) -> None:
    app, other = make_app(), make_app()
    own_router.publish(_asleep(app, queue_timeout_s=60), _asleep(other))
    with own_router.control_socket() as control:
        assert control.ask({"type": "watch"}) == {"type": "watching"}
        visitors = [own_router.visit() for _ in range(10)]
        for visitor in visitors:
            visitor.send(b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: 4\r\n\r\nbody" % app.host)
        until(lambda: _queued(own_router, app) == 10)
        own_router.publish()  # a table that changes nothing of it
        assert _queued(own_router, app) == 10
        own_router.publish(app.entry)
        assert [visitor.response().status for visitor in visitors] == [200] * 10
        last = own_router.visit()
        last.get(other.host)
        assert [control.hear(), control.hear()] == [
            {"type": "wake", "app": app.id},
            {"type": "wake", "app": other.id},
        ]
    assert all(each.endswith(b"body") for each in app.requests)


def test_the_queue_of_a_sleeping_app_has_its_bounds(
    own_router: Any, make_app: Any, until: Any
) -> None:
    app = make_app()
    own_router.publish(_asleep(app, queue_max=2, queue_timeout_s=60))
    visitors = [own_router.visit() for _ in range(2)]
    for visitor in visitors:
        visitor.get(app.host)
    until(lambda: _queued(own_router, app) == 2)
    assert own_router.fetch(app.host).status == 503
    assert "code=H11 " in own_router.lines(app.id)[0]
    own_router.publish(app.entry)
    assert [visitor.response().status for visitor in visitors] == [200, 200]
    own_router.publish(_asleep(app, queue_max=2, queue_timeout_s=0.5))
    assert own_router.fetch(app.host).status == 503
    assert "code=H20 " in own_router.lines(app.id, 4)[3]


def test_who_watches_later_hears_of_those_that_wait(
    own_router: Any, make_app: Any, until: Any
) -> None:
    app = make_app()
    own_router.publish(_asleep(app, queue_timeout_s=60))
    visitor = own_router.visit()
    visitor.get(app.host)
    until(lambda: _queued(own_router, app) == 1)
    with own_router.control_socket() as control:
        assert control.ask({"type": "watch"}) == {"type": "watching"}
        assert control.hear() == {"type": "wake", "app": app.id}
    own_router.publish(app.entry)
    assert visitor.response().status == 200


def test_an_app_that_is_pushed_away_while_asleep_answers_what_it_is(
    own_router: Any, make_app: Any, until: Any
) -> None:
    app = make_app()
    own_router.publish(_asleep(app, queue_timeout_s=60))
    visitor = own_router.visit()
    visitor.get(app.host)
    until(lambda: _queued(own_router, app) == 1)
    own_router.publish({**app.entry, "maintenance": True})
    assert b"H80" in visitor.response().body
