"""What the API says of domains' certificates, in Heroku's fields and words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from paas.apps.certificates import Issuer, State
from paas.store import certificates

LATER = datetime(2031, 1, 2, 3, 4, tzinfo=UTC)
NAME = "www.example.com"


def test_without_tls_nothing_is_said(run: Any) -> None:
    async def story(api: Any) -> None:
        await api.deployed("hello")
        added = await api.owner.post("/apps/hello/domains", json={"hostname": NAME})
        assert (added.json()["acm_status"], added.json()["acm_status_reason"]) == (None, None)

    run(story)


def test_each_state_has_herokus_word(run: Any) -> None:
    async def story(api: Any) -> None:
        settings = replace(api.platform.settings, router_tls_port=8443)
        api.app.state.platform = replace(api.platform, settings=settings)
        database = api.platform.database
        await api.deployed("hello")

        async def said() -> tuple[str, str | None]:
            domain = (await api.owner.get(f"/apps/hello/domains/{NAME}")).json()
            return domain["acm_status"], domain["acm_status_reason"]

        added = await api.owner.post("/apps/hello/domains", json={"hostname": NAME})
        assert added.json()["acm_status"] == "pending"
        await database.run(certificates.keep, {NAME: Issuer.ACME})
        assert await said() == ("pending", None)
        await database.run(certificates.issuing, NAME)
        assert await said() == ("in-progress", None)
        await database.run(certificates.postponed, NAME, State.FAILED, "no proof", LATER)
        assert await said() == ("failed", "no proof; next try 2031-01-02 03:04 UTC")
        parts = {"chain": "C", "key": "K", "expires_at": LATER}
        renew_at = LATER - timedelta(days=30)
        await database.run(certificates.issued, NAME, **parts, renew_at=renew_at)
        assert await said() == ("cert issued", None)
        await database.run(certificates.keep, {NAME: Issuer.LOCAL})
        await database.run(certificates.issued, NAME, **parts, renew_at=renew_at)
        status, reason = await said()
        assert status == "cert issued"
        assert reason is not None
        assert "paas certs:root" in reason
        everything = (await api.owner.get("/apps/hello/domains")).text
        assert '"K"' not in everything

    run(story)
