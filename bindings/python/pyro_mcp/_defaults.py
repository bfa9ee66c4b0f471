"""Defaults that are told from a caller who says the same, by `is`."""

from __future__ import annotations

from typing import Literal, cast


class _NotSaid(str):
    __slots__ = ()


# With rules, a network_policy that is not said is egress, and a caller who says "off" is refused.
OFF = cast('Literal["off"]', _NotSaid("off"))
