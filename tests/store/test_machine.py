"""The store keeps to its paper, whatever is done in whatever order; the drill `model` goes on for longer."""

from __future__ import annotations

from hypothesis import settings

from tests.store.wholemachine import StoreMachine

TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=40, stateful_step_count=50, deadline=None)
