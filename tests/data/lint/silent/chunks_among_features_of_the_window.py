import torch


def backward(loss, scaler):
    if scaler is not None:
        scaler.scale(loss).backward()
    else:
        loss.backward()


def train_one_epoch(model, data, loss_fn, optimizer, scaler, scheduler, args):
    if args.accum_freq > 1:
        accum_images, accum_texts, accum_features = [], [], {}
    for i, (images, texts) in enumerate(data):
        optimizer.zero_grad()
        if args.accum_freq == 1:
            with torch.autocast("cuda"):
                out = model(images, texts)
                total_loss = sum(loss_fn(**out, output_dict=True).values())
            backward(total_loss, scaler)
        else:
            with torch.no_grad():
                with torch.autocast("cuda"):
                    out = model(images, texts)
                for key, val in out.items():
                    if key in accum_features:
                        accum_features[key].append(val)
                    else:
                        accum_features[key] = [val]
                accum_images.append(images)
                accum_texts.append(texts)
            if ((i + 1) % args.accum_freq) > 0:
                continue
            optimizer.zero_grad()
            for j in range(args.accum_freq):
                images = accum_images[j]
                texts = accum_texts[j]
                with torch.autocast("cuda"):
                    out = model(images, texts)
                    inputs = {}
                    for key, val in accum_features.items():
                        accumulated = accum_features[key]
                        inputs[key] = torch.cat(accumulated[:j] + [out[key]] + accumulated[j + 1 :])
                    losses = loss_fn(**inputs, output_dict=True)
                    total_loss = sum(losses.values())
                backward(total_loss, scaler)
        if scaler is not None:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, norm_type=2.0)
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
        if args.accum_freq > 1:
            accum_images, accum_texts, accum_features = [], [], {}
