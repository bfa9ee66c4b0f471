"""Programs that people use, through the engine."""

import contextlib
import hashlib
import http.server
import json
import pathlib
import random
import shutil
import socket
import subprocess

import pytest
import repository
import world as worlds

URL = f"http://{worlds.V4}"


@pytest.fixture(scope="module")
def site(world, tmp_path_factory):
    """nginx with a few files; yields its folder and its port."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "small").write_text("hello\n")
    (folder / "large").write_bytes(random.Random(3).randbytes(20 << 20))
    port = 8080
    (folder / "nginx.conf").write_text(f"""
user root; daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen {port}; listen [::]:{port}; root {folder}; }}
}}""")
    with world.program("nginx", "-e", f"{folder}/errors", "-c", f"{folder}/nginx.conf", port=port):
        yield folder, port


def test_curl_keeps_a_connection_and_reads_ranges(world, site):
    folder, port = site
    out = world.guest("curl", "-sS", "-w", "%{num_connects} ", f"{URL}:{port}/small", f"{URL}:{port}/small",
                      f"http://[{worlds.V6}]:{port}/small").stdout.decode()
    assert out == "hello\n1 hello\n0 hello\n1 "
    part = world.guest("curl", "-sS", "-r", "1000000-1999999", f"{URL}:{port}/large").stdout
    assert part == (folder / "large").read_bytes()[1000000:2000000]


def test_python_fetches(world, site):
    folder, port = site
    assert world.guest_python(f"""
import urllib.request
tell(digest(urllib.request.urlopen("{URL}:{port}/large", timeout=20).read()))
""") == hashlib.blake2b((folder / "large").read_bytes(), digest_size=8).hexdigest()


def test_wrk_loses_no_request(world, site):
    out = world.guest("wrk", "-t1", "-c64", "-d1s", "--timeout", "60s", f"{URL}:{site[1]}/small").stdout.decode()
    assert "requests in" in out
    assert "Socket errors" not in out and "Non-2xx" not in out, out


def test_git_clones_over_http(world, site, tmp_path):
    folder, port = site
    content = random.Random(4).randbytes(3 << 20)
    repository.publish(folder, tmp_path, content)
    worlds.run("chmod", "-R", "a+rX", str(folder))
    world.guest("git", "clone", "-q", f"{URL}:{port}/repo.git", str(tmp_path / "clone"))
    assert (tmp_path / "clone" / "file").read_bytes() == content


def test_apt_reads_a_repository(world, site, tmp_path):
    folder, port = site
    packages = folder / "debian"
    packages.mkdir()
    (packages / "Packages").write_text("Package: hello\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\n"
                                       f"Filename: ./hello.deb\nSize: 1\nSHA256: {'0' * 64}\nDescription: x\n\n")
    content = (packages / "Packages").read_bytes()
    (packages / "Release").write_text(f"Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {hashlib.sha256(content).hexdigest()} {len(content)} Packages\n")
    for name in ("lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "status").touch()
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] {URL}:{port}/debian ./\n")
    options = {"Dir::Etc": tmp_path / "etc", "Dir::Etc::sourcelist": tmp_path / "sources.list",
               "Dir::Etc::sourceparts": "-", "Dir::State::lists": tmp_path / "lists",
               "Dir::State::status": tmp_path / "status", "Dir::Cache": tmp_path / "cache",
               "APT::Sandbox::User": "root", "Acquire::Languages": "none"}
    words = [f"-o{key}={value}" for key, value in options.items()]
    world.guest("apt-get", *words, "-qq", "update")
    out = worlds.run("apt-cache", *words, "policy", "hello").stdout
    assert f"{URL}:{port}/debian" in out


@pytest.mark.parametrize("words", [(), ("-R",), ("-P", "8"), ("-P", "8", "-R")])
def test_iperf(world, words):
    with world.program("iperf3", "-s", "-p", "5201", port=5201):
        out = world.guest("iperf3", "-c", worlds.V4, "-p", "5201", "-n", "200M", "-J", *words).stdout
    end = json.loads(out)["end"]
    rate = end["sum_received"]["bits_per_second"] / 1e9
    print(f"iperf3 {' '.join(words) or 'up'}: {rate:.2f} Gbit/s")
    assert end["sum_received"]["bytes"] > 10 << 20


def test_redis(world, tmp_path):
    with world.program("redis-server", "--port", "6379", "--save", "", "--protected-mode", "no", "--dir", str(tmp_path), port=6379):
        assert world.guest("redis-cli", "-h", worlds.V4, "set", "key", "value").stdout == b"OK\n"
        assert world.guest("redis-cli", "-h", worlds.V4, "get", "key").stdout == b"value\n"
        out = world.guest("redis-benchmark", "-h", worlds.V4, "-n", "20000", "-c", "50", "-t", "set,get", "-q").stdout
        assert out.count(b"requests per second") >= 2
