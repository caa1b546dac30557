"""What a decoder requires at each step."""

from __future__ import annotations

import pytest

from safeload._forms.intact import require_intact


def test_what_holds_passes_and_what_does_not_is_damage():
    require_intact(holds=True)
    with pytest.raises(ValueError, match=r"^it is truncated or inconsistent$"):
        require_intact(holds=False)
