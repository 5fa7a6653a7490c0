"""ignite builds the update function from the loop's parts."""

import torch
from ignite.engine import Events, create_supervised_trainer

optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10)
trainer = create_supervised_trainer(
    model, optimizer, torch.nn.functional.cross_entropy, device="cuda", amp_mode="amp", scaler=True
)


@trainer.on(Events.EPOCH_COMPLETED)
def advance(engine):
    scheduler.step()


trainer.run(loader, max_epochs=3)
