from torch import nn

for name, layer in net.named_modules():
    if isinstance(layer, nn.Linear):
        if layer.in_features % 8 != 0 or layer.out_features % 8 != 0:
            print(f"{name}: {layer.in_features} x {layer.out_features} is not aligned")

hidden = 253
padded = ((hidden + 7) // 8) * 8
layer = nn.Linear(64, padded)
