"""Property tests on compiled kernels: the first call loads them, so no example has a deadline."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("kernels", deadline=None, max_examples=60)
settings.load_profile("kernels")
