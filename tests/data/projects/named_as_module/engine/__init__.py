from .evaluate import evaluate
from .train_one_epoch import (
    train_one_epoch,  # the loop
)
