"""Certificates that are brought, in Heroku's form; which domain each serves."""

from typing import Any

from cryptography import x509

from paas.certificates.authority import Authority


def body(authority: Authority, *names: str) -> dict[str, str]:
    issued = authority.issue(names)
    return {"certificate_chain": issued.chain, "private_key": issued.key}


def test_a_certificate_serves_what_it_is_for_and_its_key_is_never_said(
    run: Any, tmp_path: Any
) -> None:
    authority = Authority.open(tmp_path / "root.pem", "test")

    async def story(api: Any) -> None:
        await api.deployed()
        before = (await add(api, "www.example.com")).json()
        assert before["sni_endpoint"] is None
        given = body(authority, "*.example.com")
        made = await api.owner.post("/apps/hello/sni-endpoints", json=given)
        assert made.status_code == 201
        one = made.json()
        assert one["domains"] == [before["id"]]
        assert one["ssl_cert"]["cert_domains"] == ["*.example.com"]
        path = f"/apps/hello/sni-endpoints/{one['name']}"
        for answer in (
            made,
            await api.owner.get("/apps/hello/sni-endpoints"),
            await api.owner.get(path),
        ):
            assert given["private_key"].splitlines()[1] not in answer.text
        later = (await add(api, "shop.example.com")).json()
        assert later["sni_endpoint"]["id"] == one["id"]
        newer = await api.owner.patch(path, json=body(authority, "shop.example.com"))
        assert newer.json()["domains"] == [later["id"]]
        assert (await api.owner.delete(path)).status_code == 200
        assert (await api.owner.get("/apps/hello/sni-endpoints")).json() == []
        shown = (await api.owner.get("/apps/hello/domains/shop.example.com")).json()
        assert shown["sni_endpoint"] is None

    run(story)


def test_a_domain_takes_only_a_certificate_that_is_for_it(run: Any, tmp_path: Any) -> None:
    authority = Authority.open(tmp_path / "root.pem", "test")

    async def story(api: Any) -> None:
        await api.deployed()
        await add(api, "www.example.com")
        names = []
        for host in ("www.example.com", "www.example.com", "other.example.org"):
            answer = await api.owner.post("/apps/hello/sni-endpoints", json=body(authority, host))
            names.append(answer.json()["name"])
        path = "/apps/hello/domains/www.example.com"
        for name, status in ((names[1], 200), (names[2], 422), ("nope", 404)):
            answer = await api.owner.patch(path, json={"sni_endpoint": name})
            assert answer.status_code == status
        assert (await api.owner.patch(path, json={})).status_code == 422

    run(story)


def test_bad_pairs_are_refused(run: Any) -> None:
    async def story(api: Any) -> None:
        await api.deployed()
        for bad in ({}, {"certificate_chain": "x"}, {"certificate_chain": "x", "private_key": "y"}):
            answer = await api.owner.post("/apps/hello/sni-endpoints", json=bad)
            assert answer.status_code == 422

    run(story)


def test_there_is_a_root_also_where_the_router_speaks_no_tls(run: Any) -> None:
    """Control's own port speaks TLS with it."""

    async def story(api: Any) -> None:
        answer = await api.owner.get("/smartplatform/root-certificate")
        assert answer.status_code == 200
        found = x509.load_pem_x509_certificate(answer.content)
        assert found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca

    run(story)


async def add(api: Any, hostname: str) -> Any:
    return await api.owner.post("/apps/hello/domains", json={"hostname": hostname})
