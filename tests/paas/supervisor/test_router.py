"""What the installation says to its router."""

import pytest

from paas.errors import UserError
from paas.settings import Settings, load
from paas.supervisor import services


def test_limits_and_trusted_proxies_reach_the_router() -> None:
    settings = load(
        {
            "PAAS_ROUTER_LIMITS": "connections_per_address=50,upload_s=5",
            "PAAS_ROUTER_TRUSTED_PROXIES": "192.0.2.0/24, 2001:db8::1",
            "PAAS_ROUTER_FORWARDING_PROXIES": "10.1.0.0/16",
        }
    )
    services.check_router(settings)
    words = services.router_arguments(settings)
    assert words[-5:] == [
        "--limit=connections_per_address=50",
        "--limit=upload_s=5",
        "--trusted-proxy=192.0.2.0/24",
        "--trusted-proxy=2001:db8::1",
        "--forwarding-proxy=10.1.0.0/16",
    ]


@pytest.mark.parametrize(
    "settings",
    [
        Settings(router_limits=("connections=many",)),
        Settings(router_limits=("nothing=1",)),
        Settings(router_trusted_proxies=("somewhere",)),
        Settings(router_trusted_proxies=("192.0.2.1/24",)),
        Settings(router_forwarding_proxies=("192.0.2.1/24",)),
    ],
)
def test_what_the_router_would_refuse_is_said_before_anything_starts(settings: Settings) -> None:
    with pytest.raises(UserError, match="router"):
        services.check_router(settings)
