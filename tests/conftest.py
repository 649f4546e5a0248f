"""What all tests share: the contract suite may be imported by name, its asserts explain themselves."""

import pytest

pytest.register_assert_rewrite("contract")
