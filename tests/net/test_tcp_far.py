"""TCP to hosts behind a link that delays, loses and reorders: the engine must add nothing to that."""

import bad_link
import pytest
import tcp_cases

SIZE = 300_000
# Enough packets in them that none lost would be a wonder.
LONG = {"both", "server-ends-first", "client-ends-first"}
# The others reset: a reset that is lost on the way, or is there before what was sent before it, is
# seen otherwise each time.
WHOLE = LONG | {"client-closes-at-once", "slow-client", "slow-server", "a-byte-at-a-time"}


def run(world, far, kind, name, family):
    counts = {}
    host = bad_link.FAR_V4 if family == "v4" else bad_link.FAR_V6
    with far.between(kind, counts):
        direct, through = tcp_cases.run_both(world, name, family, host, SIZE)
    assert through == direct
    return counts


# A family each: what is on the way knows nothing of them.
@pytest.mark.parametrize("name", tcp_cases.CASES)
def test_a_far_host_is_the_same_as_without_the_engine(world, far, name):
    assert run(world, far, "slow", name, "v4") == {"lost": 0, "late": 0}


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_loss_and_reordering_are_the_same_as_without_the_engine(world, far, name):
    counts = run(world, far, "bad", name, "v6")
    if name in LONG:
        assert counts["lost"] > 0 and counts["late"] > 0
