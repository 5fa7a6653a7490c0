"""A DeepSpeed engine scales, clips, skips and accumulates as its configuration says."""

import deepspeed
import torch


def train(args, model, loader, scheduler):
    config = {"fp16": {"enabled": True}, "gradient_clipping": 1.0, "gradient_accumulation_steps": 4}
    model_engine, optimizer, _, _ = deepspeed.initialize(
        args=args, model=model, model_parameters=model.parameters(), config=config
    )
    for step, (x, y) in enumerate(loader):
        x = x.to(model_engine.local_rank).half()
        loss = torch.nn.functional.cross_entropy(model_engine(x), y)
        model_engine.backward(loss)
        model_engine.step()
        if step % 100 == 0:
            print(loss.item(), optimizer.cur_scale)
    model_engine.save_checkpoint("out")
