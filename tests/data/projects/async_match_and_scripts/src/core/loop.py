async def backward(scaler, loss):
    scaler.scale(loss).backward()
