/* SPDX-License-Identifier: MIT */
/* logprob.h - log-probabilities of scores, in nats; sums in f64. */
#ifndef FEATLAS_LOGPROB_H
#define FEATLAS_LOGPROB_H

#include "base/types.h"

/* log of the sum of exp(scores[0..n-1]): a token's log-probability is its score minus this. */
f64 logprob_norm(const f32 *scores, u32 n);
/* KL(p || q) of two score vectors whose norms are known. */
f64 logprob_kl(const f32 *p, f64 p_norm, const f32 *q, f64 q_norm, u32 n);

#endif
