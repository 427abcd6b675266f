"""The address of an app: its own name under the first base domain, and the URL to open. Pure."""

from paas.settings import Settings


def hostname(app_name: str, settings: Settings) -> str:
    return f"{app_name}.{settings.base_domains[0]}"


def web_url(app_name: str, settings: Settings) -> str:
    """https where the router speaks it, for a link is not redirected by itself."""
    scheme, usual, port = "http", 80, settings.router_port
    if settings.router_tls_port:
        scheme, usual, port = "https", 443, settings.router_tls_port
    return f"{scheme}://{hostname(app_name, settings)}{'' if port == usual else f':{port}'}/"
