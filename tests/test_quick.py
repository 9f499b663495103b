"""What ``make quick`` runs reaches every room."""

from pathlib import Path

TESTS = Path(__file__).parent


def test_every_room_has_quick_tests():
    """A folder of tests without one would be left out unseen."""
    files = list(TESTS.rglob("test_*.py"))
    quick = {file.parent for file in files if "@pytest.mark.quick" in file.read_text()}
    quick |= {file.parent for file in files if "pytestmark = pytest.mark.quick" in file.read_text()}
    assert {file.parent for file in files} - quick == set()
