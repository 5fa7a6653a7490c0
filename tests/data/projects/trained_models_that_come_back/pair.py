import torch


class Pair:
    def __init__(self, encoder, decoder):
        self.encoder, self.decoder = encoder, decoder
        self.optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()])

    def go(self, x, scaler):
        loss = (self.decoder(self.encoder(x)) - x).abs().mean()
        scaler.scale(loss).backward()
        scaler.step(self.optimizer)
        scaler.update()
        self.optimizer.zero_grad()

    @torch.no_grad()
    def validate(self, loader):
        return [self.decoder(self.encoder(x)) - x for x in loader]
