# kafka-python 3 comes without types, and the type checker would take those that it brings for version 2.
from typing import Any

def __getattr__(name: str) -> Any: ...
