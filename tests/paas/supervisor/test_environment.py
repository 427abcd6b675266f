"""What of the operator's shell reaches the platform's processes: what they need, no secret."""

from paas.supervisor import environment

SHELL = {
    "PATH": "/usr/bin",
    "LC_ALL": "C.UTF-8",
    "PAAS_ROUTER_PORT": "9090",
    "PAAS_INSTALLATION": "other",
    "PAAS_OPEN_RANGES": "10.1.0.0/16",
    "https_proxy": "http://proxy:3128",
    "NO_PROXY": "localhost",
    "NODE_EXTRA_CA_CERTS": "/etc/ca.pem",
    "npm_config_registry": "http://registry:4873/",
}
SECRETS = {
    "PAAS_TOKEN": "t",
    "AWS_SECRET_ACCESS_KEY": "s",
    "GITHUB_TOKEN": "s",
    "npm_config__auth": "s",
    "SSH_AUTH_SOCK": "/tmp/agent",
    "LISTEN_FDS": "1",
    "PAAS_READY_FD": "9",
    "PYTHONSTARTUP": "/root/x.py",
    "LD_PRELOAD": "/tmp/x.so",
}


def test_processes_that_reach_out_get_proxies_authorities_and_settings() -> None:
    assert environment.outward(SHELL | SECRETS) == SHELL


def test_the_router_gets_only_what_is_local() -> None:
    assert set(environment.local(SHELL | SECRETS)) == {
        "PATH",
        "LC_ALL",
        "PAAS_ROUTER_PORT",
        "PAAS_INSTALLATION",
        "PAAS_OPEN_RANGES",
    }
