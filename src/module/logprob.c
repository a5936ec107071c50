/* SPDX-License-Identifier: MIT */
/* logprob.c - log-probabilities of scores. */
#include "module/logprob.h"

#include <math.h>

f64 logprob_norm(const f32 *scores, u32 n)
{
	f32 top = scores[0];
	for (u32 i = 1; i < n; i++)
		top = scores[i] > top ? scores[i] : top;
	f64 sum = 0;
	for (u32 i = 0; i < n; i++)
		sum += (f64)expf(scores[i] - top);
	return (f64)top + log(sum);
}

f64 logprob_kl(const f32 *p, f64 p_norm, const f32 *q, f64 q_norm, u32 n)
{
	f64 sum = 0;
	for (u32 i = 0; i < n; i++) {
		f64 lp = (f64)p[i] - p_norm;
		/* what is rarer than e^-30 adds less than 1e-6 in all where q is no further than e^-200 */
		if (lp > -30)
			sum += (f64)expf((f32)lp) * (lp - ((f64)q[i] - q_norm));
	}
	return sum > 0 ? sum : 0;
}
