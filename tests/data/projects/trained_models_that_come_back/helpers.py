def flipped(model, x):
    return (model(x) + model(x.flip(-1)).flip(-1)) / 2


def unrolled(block, state, steps):
    for _ in range(steps):
        state = block(state)
    return state
