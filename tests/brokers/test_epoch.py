import re

from roomcast.brokers.epoch import new_epoch


def test_epoch_is_eight_letters_and_digits_that_no_other_has() -> None:
    epochs = [new_epoch() for _ in range(1_000)]

    assert all(re.fullmatch("[a-z2-7]{8}", epoch) for epoch in epochs)
    assert len(set(epochs)) == 1_000
