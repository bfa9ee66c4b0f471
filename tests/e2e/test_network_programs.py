"""Programs of a guest's own distribution, through the network engine: git, and apt with the host's mirror."""

import functools
import http.server
import ipaddress
import os
import pathlib
import re
import socket
import sys
import threading
import urllib.parse

import harness
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "net"))
import repository  # noqa: E402


@pytest.fixture
def site(tmp_path):
    """A folder that is served on the host's loopback, and the port."""
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, server.server_address[1]
        server.shutdown()
        thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_git_clones_from_a_server_of_the_host(host, site, tmp_path):
    folder, port = site
    repository.publish(folder, tmp_path, b"cloned\n")
    url = f"http://host.pyro.internal:{port}/repo.git"
    clone = ("sh", "-c", f"git clone -q {url} /tmp/clone && cat /tmp/clone/file")
    done = host.run(*clone, options=("--net-allow", f"host.pyro.internal:{port}"))
    assert done.code == 0, done
    assert done.out == b"cloned\n"
    refused = host.run(*clone, options=("--net-allow", "192.0.2.1:80"))
    assert refused.code != 0 and b"cloned" not in refused.out


def mirror():
    """The URL of the host's Debian mirror, over plain HTTP."""
    named = os.environ.get("PYRO_DEBIAN_MIRROR")
    etc = pathlib.Path("/etc/apt")
    lists = [etc / "sources.list", *sorted(etc.glob("sources.list.d/*"))]
    text = named or "\n".join(path.read_text(errors="replace") for path in lists if path.is_file())
    found = re.search(r"^[^#\n]*?(http://[^\s/]+/debian)/?(?=\s|$)", text, re.M)
    return found.group(1) if found else pytest.skip("the host's apt has no Debian mirror over http")


def test_apt_updates_from_the_mirror(host):
    url = mirror()
    name, port = urllib.parse.urlsplit(url).hostname, urllib.parse.urlsplit(url).port or 80
    rules = [f"{name}:{port}"]
    # A mirror of the host's own network has to be named by its address as well.
    for *_, address in socket.getaddrinfo(name, port, socket.AF_INET, socket.SOCK_STREAM):
        if not ipaddress.ip_address(address[0]).is_global:
            rules.append(f"{address[0]}:{port}")
    script = (f"echo 'deb {url} bookworm-updates main' > /tmp/list && "
              "apt-get -o Dir::Etc::sourcelist=/tmp/list -o Dir::Etc::sourceparts=- -o Acquire::Languages=none update")
    options = [word for rule in rules for word in ("--net-allow", rule)]
    done = host.run("sh", "-c", script, options=("--timeout-seconds", "240", *options), timeout=300)
    assert done.code == 0, done
    assert b"InRelease" in done.out and b"Err:" not in done.out, done
    closed = host.run("sh", "-c", script, options=("--timeout-seconds", "240", "--net-allow", "192.0.2.1:80"), timeout=300)
    assert b"Err:" in closed.out or closed.code != 0, closed
