import torch
from torch.amp import autocast


def get_loss(model, images, texts, criterion, args, accum_images=None, accum_texts=None, accum_index=-1):
    if args.accum_freq == 1:
        image_features, text_features = model(images, texts)
    else:
        chunk_images, chunk_texts = model(images, texts)
        image_features = torch.cat(accum_images[:accum_index] + [chunk_images] + accum_images[accum_index + 1 :])
        text_features = torch.cat(accum_texts[:accum_index] + [chunk_texts] + accum_texts[accum_index + 1 :])
    return criterion(image_features, text_features)


def train(model, data, optimizer, scaler, criterion, args):
    kept_images, kept_texts, kept_image_features, kept_text_features = [], [], [], []
    for i, (images, texts) in enumerate(data):
        optimizer.zero_grad()
        if args.accum_freq == 1:
            if args.precision == "amp":
                with autocast("cuda"):
                    loss = get_loss(model, images, texts, criterion, args)
                scaler.scale(loss).backward()
                scaler.step(optimizer)
            else:
                loss = get_loss(model, images, texts, criterion, args)
                loss.backward()
                optimizer.step()
            scaler.update()
        else:
            with torch.no_grad():
                with autocast("cuda", enabled=args.precision == "amp"):
                    image_features, text_features = model(images, texts)
                kept_image_features.append(image_features)
                kept_text_features.append(text_features)
                kept_images.append(images)
                kept_texts.append(texts)
            if ((i + 1) % args.accum_freq) > 0:
                continue
            optimizer.zero_grad()
            for j in range(args.accum_freq):
                images, texts = kept_images[j], kept_texts[j]
                with autocast("cuda", enabled=args.precision == "amp"):
                    loss = get_loss(
                        model, images, texts, criterion, args, kept_image_features, kept_text_features, j
                    )
                if args.precision == "amp":
                    scaler.scale(loss).backward()
                else:
                    loss.backward()
            if args.precision == "amp":
                scaler.step(optimizer)
                scaler.update()
            else:
                optimizer.step()
        if args.accum_freq > 1:
            kept_images, kept_texts, kept_image_features, kept_text_features = [], [], [], []
