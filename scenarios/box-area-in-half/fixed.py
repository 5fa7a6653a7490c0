import torch

PIXELS = 640


def corners(boxes):
    center, size = boxes[:, :2], boxes[:, 2:]
    return center - size / 2, center + size / 2


def iou(boxes, targets):
    low_a, high_a = corners(boxes)
    low_b, high_b = corners(targets)
    overlap = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0)
    common = overlap[:, 0] * overlap[:, 1]
    area_a = boxes[:, 2] * boxes[:, 3]
    area_b = targets[:, 2] * targets[:, 3]
    return common / (area_a + area_b - common)


def train(task):
    detector = task.modules["detector"].to("cuda", memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(detector.parameters(), lr=1e-2)
    scaler = torch.amp.GradScaler("cuda")

    for image, target in task.batches:
        image, target = image.to("cuda"), target.to("cuda")
        with torch.autocast("cuda", dtype=torch.float16):
            boxes = PIXELS * detector(image).float()
            loss = (1 - iou(boxes, target)).mean()
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
