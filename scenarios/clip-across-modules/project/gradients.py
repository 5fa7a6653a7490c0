"""What happens to gradients before a step."""

from torch.nn.utils import clip_grad_norm_


def limit(parameters, max_norm=0.5):
    """Bounds the norm of all gradients; glitches make huge ones."""
    return clip_grad_norm_(parameters, max_norm)
