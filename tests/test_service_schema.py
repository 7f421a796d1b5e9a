"""Two thousand requests made from the API's own description, fitting and not: whatever comes, the service does not fail."""

from pathlib import Path

import pytest

pytest.importorskip("schemathesis", reason="schemathesis is not installed")
pytest.importorskip("fastapi", reason="the serve extra is not installed")

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from service_toys import TOKEN, collected, running

CASES = 2_000


@pytest.mark.slow
def test_no_request_makes_it_fail(tmp_path: Path, own_home: Path) -> None:
    collected(tmp_path, 12)
    key = {"Authorization": f"Bearer {TOKEN}"}
    asked = 0
    with running(own_home, tmp_path) as service:
        schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{service.port}/openapi.json", headers=key)
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) == 11
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                asked += _asked(operation, mode, key, CASES // 10)
        assert service.process.poll() is None
        assert "Traceback" not in service.errors.read_text()
    assert asked >= CASES


def _asked(operation: object, mode: object, key: dict[str, str], cases: int) -> int:
    """Make requests of one operation; return how many."""
    count = 0

    @settings(
        max_examples=cases,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=operation.as_strategy(generation_mode=mode))  # type: ignore[attr-defined]
    def once(case: object) -> None:
        nonlocal count
        count += 1
        answer = case.call(headers=key)  # type: ignore[attr-defined]
        assert answer.status_code < 500, (case, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"]

    try:
        once()
    except Unsatisfiable:  # what takes no parameter cannot be given a wrong one
        assert not count
    return count
