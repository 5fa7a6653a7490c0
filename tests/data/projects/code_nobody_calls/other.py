from scaled_by_one import fit


def main(net, loader, held_out, optimizer):
    optimizer.zero_grad()
    fit(net, loader, held_out, optimizer)
