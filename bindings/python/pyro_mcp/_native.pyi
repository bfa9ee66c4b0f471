from collections.abc import Callable
from typing import Any

version: str

def describe() -> list[dict[str, Any]]: ...

class Native:
    def __init__(self, libexec: str) -> None: ...
    def call(
        self,
        operation: str,
        arguments: dict[str, Any],
        deliver: Callable[[Any, Any], None],
        output: bool,
        interrupt_fd: int,
        stdin_fd: int,
    ) -> dict[str, Any]: ...
