import torch

SCALER = torch.cuda.amp.GradScaler()  # noqa: AMP601
