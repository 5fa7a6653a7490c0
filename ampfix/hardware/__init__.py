"""What the hardware at hand can do, and what that means for mixed precision."""
