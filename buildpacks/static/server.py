"""How the web server of a site is started in its instance.

The listener of the fast path is open already when it starts, as descriptor 3: nginx takes over what
the variable NGINX lists, as it does from its own predecessor, if the name fits. Whoever connects
waits in its queue meanwhile, so that it may be reported (on descriptor 4) at once.
"""

from buildpacks.plan import Process, Site

CONFIGURATION = "/app/.nginx.conf"
"""In the image only; names that begin with a dot are never served."""
LISTEN = "/tmp/listen.conf"
_START = f"""
echo "listen ${{PORT:-5000}};" > {LISTEN}
[ -z "$SMARTPLATFORM_SOCKET" ] || echo "listen unix:$SMARTPLATFORM_SOCKET;" >> {LISTEN}
[ -z "$SMARTPLATFORM_SOCKET" ] || echo '{{"type":"listening"}}' >&4
NGINX='3;' exec /usr/sbin/nginx -p /tmp -e stderr -c {CONFIGURATION}
"""


def process(site: Site) -> Process:
    """The web process."""
    folder = site.folders[0] or "."
    return Process("web", f"nginx ({folder})", ("sh", "-c", _START.strip()), site.framework)
