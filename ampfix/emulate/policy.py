"""Which autocast rule applies to which aten operator, per backend.

torch says which operators its autocast keys intercept but not what each kernel does, so the category of every
operator is written down here, once, and checked against torch's own kernels by the conformance tests.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

import torch

Backend = Literal["cuda", "cpu"]

_DISPATCH_KEY = {"cuda": "AutocastCUDA", "cpu": "AutocastCPU"}


class Category(str, Enum):
    """What an autocast kernel does with its floating-point arguments (aten/src/ATen/autocast_mode.h)."""

    LOWER = "lower"  # cast to the autocast dtype
    FP32 = "fp32"  # cast to float32
    PROMOTE = "promote"  # cast to the widest dtype among them
    SET_DTYPE = "set_dtype"  # arguments stay, dtype=float32 is requested of the result
    BANNED = "banned"  # refuse: unsafe to autocast
    UNKNOWN = "unknown"  # intercepted by this torch, not in the table below


_LOWER_BOTH = """
_convolution _convolution.deprecated addbmm addmm baddbmm bmm conv1d conv2d conv3d conv_tbc conv_transpose1d
conv_transpose2d.input conv_transpose3d.input linalg_vecdot linear matmul mm prelu
scaled_dot_product_attention
"""
_LOWER_CUDA = """
_cudnn_rnn _scaled_dot_product_flash_attention _thnn_fused_gru_cell _thnn_fused_lstm_cell addmv addr
chain_matmul convolution cudnn_convolution cudnn_convolution_transpose einsum gru_cell linalg_multi_dot
lstm_cell mv rnn_relu_cell rnn_tanh_cell
"""
_LOWER_CPU = """
_addmm_activation _native_multi_head_attention conv1d.padding conv2d.padding conv3d.padding mkldnn_rnn_layer
"""
_FP32_BOTH = """
binary_cross_entropy_with_logits cdist cosine_embedding_loss hinge_embedding_loss huber_loss kl_div l1_loss
linalg_matrix_sqrth margin_ranking_loss mse_loss multi_margin_loss multilabel_margin_loss nll_loss nll_loss2d
poisson_nll_loss smooth_l1_loss soft_margin_loss triplet_margin_loss
"""
_FP32_CUDA = """
_upsample_bicubic2d_aa _upsample_bilinear2d_aa _upsample_nearest_exact1d _upsample_nearest_exact2d
_upsample_nearest_exact3d acos asin cosh cosine_similarity dist erfinv exp expm1 frobenius_norm.dim group_norm
layer_norm log log10 log1p log2 logsumexp native_layer_norm nuclear_norm nuclear_norm.dim pdist pow.Scalar
pow.Tensor_Scalar pow.Tensor_Tensor reciprocal renorm rms_norm rsqrt sinh softplus tan upsample_bicubic2d
upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d upsample_nearest3d
upsample_trilinear3d
"""
_FP32_CPU = """
_grid_sampler_2d_cpu_fallback _lu_with_info adaptive_avg_pool3d adaptive_max_pool3d avg_pool3d
binary_cross_entropy cholesky cholesky_inverse cholesky_solve cross_entropy_loss ctc_loss.IntList
ctc_loss.Tensor fake_quantize_per_tensor_affine fft_fft fft_fft2 fft_fftn fft_hfft fft_ifft fft_ifft2
fft_ifftn fft_ihfft fft_irfft fft_irfft2 fft_irfftn fft_rfft fft_rfft2 fft_rfftn fractional_max_pool2d
fractional_max_pool3d geqrf grid_sampler grid_sampler_2d grid_sampler_3d inverse linalg_cholesky
linalg_cholesky_ex linalg_cond linalg_cond.p_str linalg_eig linalg_eigh linalg_eigvals linalg_eigvalsh
linalg_householder_product linalg_inv linalg_inv_ex linalg_lstsq linalg_matrix_rank
linalg_matrix_rank.atol_rtol_float linalg_matrix_rank.atol_rtol_tensor linalg_matrix_rank.tol_tensor linalg_qr
linalg_solve linalg_svd linalg_svdvals linalg_tensorinv linalg_tensorsolve lu_solve max_pool3d max_unpool2d
max_unpool3d multilabel_margin_loss_forward nanquantile nanquantile.scalar orgqr ormqr pinverse polar prod
prod.dim_Dimname prod.dim_int qr quantile quantile.scalar reflection_pad1d reflection_pad2d replication_pad1d
replication_pad2d replication_pad3d stft stft.center svd trace triangular_solve view_as_complex
"""
_SET_DTYPE_CUDA = """
cumprod cumprod.dimname cumsum cumsum.dimname linalg_matrix_norm linalg_matrix_norm.str_ord linalg_vector_norm
log_softmax.Dimname log_softmax.int norm.Scalar norm.ScalarOpt_dim norm.names_ScalarOpt_dim prod
prod.dim_Dimname prod.dim_int softmax.Dimname softmax.int sum sum.dim_DimnameList sum.dim_IntList
"""
_PROMOTE_CUDA = """
addcdiv addcmul atan2 bilinear cross dot grid_sampler index_put scatter_add tensordot vdot
"""


def _table(**groups: str) -> dict[str, Category]:
    return {f"aten::{op}": Category(name) for name, ops in groups.items() for op in ops.split()}


_TABLE: dict[str, dict[str, Category]] = {
    "cuda": _table(
        lower=_LOWER_BOTH + _LOWER_CUDA,
        fp32=_FP32_BOTH + _FP32_CUDA,
        set_dtype=_SET_DTYPE_CUDA,
        promote=_PROMOTE_CUDA,
        banned="binary_cross_entropy",
    ),
    "cpu": _table(
        lower=_LOWER_BOTH + _LOWER_CPU,
        fp32=_FP32_BOTH + _FP32_CPU,
        promote="cat index_copy index_copy.dimname stack",
    ),
}


def op_policy(backend: Backend) -> dict[str, Category]:
    """Category of every operator ("aten::name.overload") that this torch's autocast intercepts on `backend`."""
    table = _TABLE[backend]
    registered = torch._C._dispatch_get_registrations_for_dispatch_key(_DISPATCH_KEY[backend])
    return {op: table.get(op, Category.UNKNOWN) for op in sorted(registered)}
