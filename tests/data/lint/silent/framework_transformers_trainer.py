"""transformers' Trainer runs the step; subclasses say what the loss is, or hook into the accelerator it holds."""

import torch
from transformers import Trainer, TrainingArguments


class WeightedTrainer(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        loss = torch.nn.functional.cross_entropy(outputs.logits.view(-1, 2), labels.view(-1))
        return (loss, outputs) if return_outputs else loss

    def training_step(self, model, inputs, num_items_in_batch=None):
        model.train()
        inputs = self._prepare_inputs(inputs)
        with self.compute_loss_context_manager():
            loss = self.compute_loss(model, inputs)
        if self.args.n_gpu > 1:
            loss = loss.mean()
        self.accelerator.backward(loss)
        return loss.detach() / self.args.gradient_accumulation_steps


arguments = TrainingArguments("out", fp16=True, max_grad_norm=1.0, gradient_accumulation_steps=4)
trainer = WeightedTrainer(model=model, args=arguments, train_dataset=dataset)
trainer.train()
