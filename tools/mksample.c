/* SPDX-License-Identifier: MIT */
/* mksample.c - writes the sample atlas that tests, screens and the manual's examples use.
 *
 * mksample OUTDIR [OUT.acts] makes the atlas in the folder OUTDIR: 512 features of layer 2 of the
 * made-up model of src/module/fake_world.h, a TopK dictionary with k = 8, planted, and 20,000
 * tokens; and, if named, the harvest of these tokens, for tests of what reads harvests.
 * Features: 0-23 the topics in order, 24-31 the word classes' directions as seen in texts,
 * 32-47 pairs of topics, 48-463 single words, 464-499 random mixtures, 500-511 dead.
 * The same bytes on every run.
 */
#include "base/half.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "core/acts.h"
#include "core/atlas.h"
#include "core/labels.h"
#include "core/map.h"
#include "core/vocab.h"
#include "module/fake_world.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	D = FAKE_WORLD_D, F = 512, K = 8, LAYER = 2, N_TEXTS = 200, TEXT = 100, N = N_TEXTS * TEXT,
	PAIRS = 32, WORDS = 48, MIXTURES = 464, DEAD = 500,
	BINS = 24, TOP = 20, INTERVALS = 5, PER_INTERVAL = 3, RANDOM = 5,
	CONTEXTS = TOP + INTERVALS * PER_INTERVAL + RANDOM,
	LENS = 20, NEIGHBOURS = 16,
};
#define UUID "5a3ef1a5-0000-4000-8000-000000000001"
#define BUILD "5a3ef1a500000001"
#define HOOK "blocks.2.hook_resid_post"

struct context {
	u32 pos;
	f32 val;
	u8 kind, interval;
};

static const char *folder;
static u32 tokens[N];
static u8 flags[N];
static u64 text_ptr[N_TEXTS + 1];
static f32 rows[N][D];
static f32 w_enc[F][D], b_enc[F], w_dec[F][D], b_dec[D]; /* w_enc is transposed when written */
static u32 words[F]; /* the word of a single-word feature */
static u32 act_id[N][K];
static f32 act_val[N][K];
static u32 n_act[N];
static struct context contexts[F][CONTEXTS];
static u32 n_contexts[F], count[F];
static f32 maximum[F], mean[F];
static struct {
	u32 promoted[F][LENS], suppressed[F][LENS];
	f32 promoted_value[F][LENS], suppressed_value[F][LENS];
} lens;
static u64 state = 20240521;

static void must(int r, const struct err *e)
{
	if (r) {
		fprintf(stderr, "mksample: %s\n", e->msg);
		exit(2);
	}
}

static u32 draw(u32 n)
{
	state += 0x9e3779b97f4a7c15u;
	u64 x = state;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (u32)((x ^ x >> 31) >> 32) % n;
}

static f32 noise(void)
{
	f32 sum = 0;
	for (int i = 0; i < 4; i++)
		sum += (f32)draw(65536) / 65536 - 0.5f;
	return sum;
}

static f32 dot(const f32 *a, const f32 *b)
{
	f32 s = 0;
	for (int i = 0; i < D; i++)
		s += a[i] * b[i];
	return s;
}

static void add(f32 *x, f32 c, const f32 *v)
{
	for (int i = 0; i < D; i++)
		x[i] += c * v[i];
}

static void unit(f32 *x)
{
	f32 n = sqrtf(dot(x, x));
	for (int i = 0; i < D; i++)
		x[i] /= n;
}

/* The likeliest next token under noise: sampling without a function of libm. */
static u32 next_token(const u32 *text, size_t n)
{
	static f32 logits[4096];
	f32 row[D], best = -1e9f;
	u32 token = 0;
	fake_world_row(text, n - 1, FAKE_WORLD_LAYERS - 1, row);
	fake_world_logits(row, logits);
	for (u32 t = 0; t < fake_world_n_vocab(); t++) {
		f32 score = logits[t] + 2.2f * noise();
		if (score > best) {
			best = score;
			token = t;
		}
	}
	return token;
}

static u32 word_of_topic(int topic)
{
	u32 t;
	do
		t = FAKE_WORLD_WORD + draw(fake_world_n_vocab() - FAKE_WORLD_WORD);
	while (fake_world_topic(t) != topic);
	return t;
}

/* "<|begin|> tell me about WORD and WORD" of one topic, a newline, and what the world says. */
static void make_text(int number)
{
	u32 *t = &tokens[number * TEXT];
	int topic = number % FAKE_WORLD_TOPICS;
	static const char start[] = " tell me about";
	size_t n = 1 + fake_world_tokenize(start, sizeof start - 1, false, t + 1, 8);
	t[0] = FAKE_WORLD_BEGIN;
	t[n++] = word_of_topic(topic);
	n += fake_world_tokenize(" and", 4, false, t + n, 1);
	t[n++] = word_of_topic(number % 7 ? topic : (topic + 5) % FAKE_WORLD_TOPICS);
	t[n++] = FAKE_WORLD_BYTE + '\n';
	for (size_t i = 0; i < n; i++)
		flags[number * TEXT + (int)i] |= TOKEN_PROMPT;
	flags[number * TEXT] |= TOKEN_FIRST | TOKEN_SPECIAL | TOKEN_SINK;
	for (; n < TEXT; n++)
		t[n] = next_token(t, n);
	for (size_t i = 0; i < TEXT; i++)
		fake_world_row(t, i, LAYER, rows[number * TEXT + (int)i]);
	text_ptr[number + 1] = (u64)(number + 1) * TEXT;
}

static bool masked(int i)
{
	return flags[i] & TOKEN_MASKED;
}

static void make_mean(void)
{
	f64 sum[D] = {0};
	u64 n = 0;
	for (int i = 0; i < N; i++) {
		if (masked(i))
			continue;
		n++;
		for (int k = 0; k < D; k++)
			sum[k] += (f64)rows[i][k];
	}
	for (int k = 0; k < D; k++)
		b_dec[k] = (f32)(sum[k] / (f64)n);
}

/* The mean residual, b_dec taken off, of the unmasked tokens that begin with a byte. */
static void class_direction(const char *first, f32 *out)
{
	for (int i = 0; i < N; i++) {
		struct span s = fake_world_token(tokens[i]);
		if (!masked(i) && s.n > 1 && strchr(first, s.p[1]) && fake_world_topic(tokens[i]) < 0) {
			add(out, 1, rows[i]);
			add(out, -1, b_dec);
		}
	}
}

static void make_decoder(void)
{
	static const char *const firsts[] = {"t", "io", "m", "wh", "ns", "ac", "kg", "y"};
	for (int i = 0; i < FAKE_WORLD_TOPICS; i++)
		fake_world_topic_direction(i, w_dec[i]);
	for (int i = FAKE_WORLD_TOPICS; i < PAIRS; i++)
		class_direction(firsts[i - FAKE_WORLD_TOPICS], w_dec[i]);
	for (int i = PAIRS; i < WORDS; i++) {
		add(w_dec[i], 1, w_dec[i - PAIRS]);
		add(w_dec[i], 0.8f, w_dec[(i - PAIRS + 7) % FAKE_WORLD_TOPICS]);
	}
	u32 n_words = fake_world_n_vocab() - FAKE_WORLD_WORD;
	for (u32 i = WORDS; i < MIXTURES; i++) {
		words[i] = FAKE_WORLD_WORD + (i - WORDS) % n_words;
		fake_world_own_direction(words[i], w_dec[i]);
		int topic = fake_world_topic(words[i]);
		/* the last few are second senses: the word in another topic */
		if (i - WORDS >= n_words)
			add(w_dec[i], 0.5f, w_dec[i % FAKE_WORLD_TOPICS]);
		else if (topic >= 0)
			add(w_dec[i], 0.3f, w_dec[topic]);
	}
	for (int i = MIXTURES; i < F; i++)
		for (int k = 0; k < D; k++)
			w_dec[i][k] = noise();
	for (int i = 0; i < F; i++)
		unit(w_dec[i]);
}

static void make_encoder(void)
{
	memcpy(w_enc, w_dec, sizeof w_enc);
	for (int i = 0; i < F; i++)
		b_enc[i] = i < FAKE_WORLD_TOPICS ? -3.0f : i < PAIRS ? -1 : i < WORDS ? -7.5f : i < MIXTURES ? -1.2f
			 : i < DEAD ? -2.5f : -1000;
}

/* p = (x - b_dec) W_enc + b_enc; the K largest, then ReLU; ids ascending. */
static void encode(int i)
{
	f32 x[D], p[F];
	bool taken[F] = {false};
	memcpy(x, rows[i], sizeof x);
	add(x, -1, b_dec);
	for (int f = 0; f < F; f++)
		p[f] = dot(x, w_enc[f]) + b_enc[f];
	for (int k = 0; k < K; k++) {
		int best = -1;
		for (int f = 0; f < F; f++)
			if (!taken[f] && (best < 0 || p[f] > p[best]))
				best = f;
		taken[best] = p[best] > 0;
	}
	for (u32 f = 0; f < F; f++)
		if (taken[f]) {
			act_id[i][n_act[i]] = f;
			act_val[i][n_act[i]++] = p[f];
		}
}

static f32 activation(int i, u32 feature)
{
	for (u32 k = 0; k < n_act[i]; k++)
		if (act_id[i][k] == feature)
			return act_val[i][k];
	return 0;
}

static void make_statistics(void)
{
	static f64 sum[F];
	for (int i = 0; i < N; i++) {
		if (masked(i))
			continue;
		encode(i);
		for (u32 k = 0; k < n_act[i]; k++) {
			u32 f = act_id[i][k];
			count[f]++;
			sum[f] += (f64)act_val[i][k];
			maximum[f] = MAX(maximum[f], act_val[i][k]);
		}
	}
	for (int f = 0; f < F; f++)
		mean[f] = count[f] ? (f32)(sum[f] / count[f]) : 0;
}

static int by_value(const void *a, const void *b)
{
	const struct context *x = a, *y = b;
	if (x->val != y->val)
		return x->val > y->val ? -1 : 1;
	return x->pos < y->pos ? -1 : 1;
}

/* A feature's peak in each text, highest first; returns how many fire. */
static u32 find_peaks(u32 feature, struct context *peaks)
{
	u32 n = 0;
	for (int t = 0; t < N_TEXTS; t++) {
		struct context best = {0};
		for (int i = t * TEXT; i < (t + 1) * TEXT; i++) {
			f32 v = activation(i, feature);
			if (v > best.val)
				best = (struct context){(u32)i, v, CONTEXT_TOP, 0};
		}
		if (best.val > 0)
			peaks[n++] = best;
	}
	qsort(peaks, n, sizeof *peaks, by_value);
	return n;
}

static void make_contexts(u32 feature)
{
	static struct context peaks[N_TEXTS];
	u32 n = find_peaks(feature, peaks), got = 0;
	struct context *out = contexts[feature];
	for (u32 i = 0; i < n && got < TOP; i++)
		out[got++] = peaks[i];
	for (int interval = INTERVALS - 1; interval >= 0; interval--) {
		f32 low = maximum[feature] * (f32)interval / INTERVALS, high = maximum[feature] * (f32)(interval + 1) / INTERVALS;
		u32 here = 0;
		for (u32 i = TOP; i < n && here < PER_INTERVAL; i++)
			if (peaks[i].val > low && peaks[i].val <= high) {
				out[got] = peaks[i];
				out[got].kind = CONTEXT_INTERVAL;
				out[got++].interval = (u8)interval;
				here++;
			}
	}
	for (int i = 0; i < RANDOM && n; i++) {
		u32 at;
		do
			at = draw(N);
		while (masked((int)at));
		out[got++] = (struct context){at, activation((int)at, feature), CONTEXT_RANDOM, 0};
	}
	n_contexts[feature] = got;
}

static char *path(const char *file)
{
	return xasprintf("%s/%s", folder, file);
}

static void write_file(const char *file, const struct tensor_out *t, size_t n, const char *const *more)
{
	const char *meta[16] = {"uuid", UUID, "build_id", BUILD};
	for (size_t i = 0; more && more[i]; i++)
		meta[4 + i] = more[i];
	char *at = path(file);
	struct err e = {0};
	must(safetensors_write_file(at, t, n, meta, &e), &e);
	free(at);
}

static void write_dictionary(void)
{
	static f32 transposed[D][F];
	for (int i = 0; i < F; i++)
		for (int k = 0; k < D; k++)
			transposed[k][i] = w_enc[i][k];
	struct tensor_out out[] = {
		{"W_enc", DTYPE_F32, 2, {D, F}, transposed}, {"b_enc", DTYPE_F32, 1, {F}, b_enc},
		{"W_dec", DTYPE_F32, 2, {F, D}, w_dec}, {"b_dec", DTYPE_F32, 1, {D}, b_dec},
	};
	write_file("sae_weights.safetensors", out, ARRAY_LEN(out), NULL);
	json_t *cfg = json_pack("{s:s, s:i, s:i, s:s, s:s, s:b, s:s, s:s, s:i, s:b}", "architecture", "topk", "d_in", D,
				"d_sae", F, "dtype", "float32", "device", "cpu", "apply_b_dec_to_input", 1,
				"normalize_activations", "none", "reshape_activations", "none", "k", K,
				"rescale_acts_by_decoder_norm", 0);
	json_object_set_new(cfg, "metadata",
			    json_pack("{s:s, s:s, s:b, s:s}", "model_name", "fake world", "hook_name", HOOK, "prepend_bos",
				      1, "sae_lens_version", "6.18.0"));
	char *at = path("cfg.json");
	struct err e = {0};
	must(json_write_file(at, cfg, &e), &e);
	json_decref(cfg);
	free(at);
}

static void write_store(void)
{
	static u16 short_tokens[N], value[N * K];
	static u64 feature_ptr[F + 1], counts[F], hist_count[F][BINS], ctx_ptr[F + 1];
	static u32 pos[N * K], ctx_pos[F * CONTEXTS];
	static f32 scale[F], density[F], edge[F][BINS + 1], ctx_val[F * CONTEXTS];
	static u8 ctx_kind[F * CONTEXTS], ctx_interval[F * CONTEXTS];
	u64 n = 0, n_ctx = 0, kept = 0;
	for (int i = 0; i < N; i++) {
		short_tokens[i] = (u16)tokens[i];
		kept += !masked(i);
	}
	for (u32 f = 0; f < F; f++) {
		scale[f] = f % 2 ? 0.5f : 1; /* so that a reader that forgets the scale is found out */
		density[f] = (f32)((f64)count[f] / (f64)kept);
		counts[f] = count[f];
		for (int b = 0; b <= BINS; b++)
			edge[f][b] = maximum[f] * (f32)b / BINS;
		for (int i = 0; i < N; i++) {
			f32 v = activation(i, f);
			if (v <= 0)
				continue;
			int bin = BINS - 1;
			while (bin > 0 && v < edge[f][bin])
				bin--;
			hist_count[f][bin]++;
			pos[n] = (u32)i;
			value[n++] = f32_to_f16(v / scale[f]);
		}
		feature_ptr[f + 1] = n;
		make_contexts(f);
		for (u32 i = 0; i < n_contexts[f]; i++, n_ctx++) {
			const struct context *c = &contexts[f][i];
			ctx_pos[n_ctx] = c->pos;
			ctx_val[n_ctx] = c->val;
			ctx_kind[n_ctx] = c->kind;
			ctx_interval[n_ctx] = c->interval;
		}
		ctx_ptr[f + 1] = n_ctx;
	}
	struct tensor_out out[] = {
		{"tokens", DTYPE_U16, 1, {N}, short_tokens}, {"token_flags", DTYPE_U8, 1, {N}, flags},
		{"text_ptr", DTYPE_U64, 1, {N_TEXTS + 1}, text_ptr}, {"feature_ptr", DTYPE_U64, 1, {F + 1}, feature_ptr},
		{"act_pos", DTYPE_U32, 1, {n}, pos}, {"act_val", DTYPE_F16, 1, {n}, value},
		{"act_scale", DTYPE_F32, 1, {F}, scale}, {"density", DTYPE_F32, 1, {F}, density},
		{"max", DTYPE_F32, 1, {F}, maximum}, {"mean", DTYPE_F32, 1, {F}, mean},
		{"count", DTYPE_U64, 1, {F}, counts}, {"hist_edge", DTYPE_F32, 2, {F, BINS + 1}, edge},
		{"hist_count", DTYPE_U64, 2, {F, BINS}, hist_count}, {"ctx_ptr", DTYPE_U64, 1, {F + 1}, ctx_ptr},
		{"ctx_pos", DTYPE_U32, 1, {n_ctx}, ctx_pos}, {"ctx_val", DTYPE_F32, 1, {n_ctx}, ctx_val},
		{"ctx_kind", DTYPE_U8, 1, {n_ctx}, ctx_kind}, {"ctx_interval", DTYPE_U8, 1, {n_ctx}, ctx_interval},
	};
	char kept_text[24];
	snprintf(kept_text, sizeof kept_text, "%llu", (unsigned long long)kept);
	const char *meta[] = {"coverage", "full", "n_tokens_indexed", "20000", "n_tokens_kept", kept_text,
			      "first_token", "0", NULL};
	write_file("activations.safetensors", out, ARRAY_LEN(out), meta);
}

static void make_lens(u32 f)
{
	static f32 logits[4096];
	u32 v = fake_world_n_vocab();
	f32 sum = 0;
	fake_world_unembed(w_dec[f], logits);
	for (u32 t = 0; t < v; t++)
		sum += logits[t];
	for (int sign = 1; sign >= -1; sign -= 2) {
		bool taken[4096] = {false};
		for (int i = 0; i < LENS; i++) {
			u32 best = UINT32_MAX;
			for (u32 t = 0; t < v; t++)
				if (!taken[t] && (best == UINT32_MAX || sign * logits[t] > sign * logits[best]))
					best = t;
			taken[best] = true;
			(sign > 0 ? lens.promoted : lens.suppressed)[f][i] = best;
			(sign > 0 ? lens.promoted_value : lens.suppressed_value)[f][i] = logits[best] - sum / (f32)v;
		}
	}
}

static void to_halves(const f32 *from, u16 *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = f32_to_f16(from[i]);
}

static void write_logits(void)
{
	static u16 up[F][LENS], down[F][LENS];
	for (u32 f = 0; f < F; f++)
		make_lens(f);
	to_halves(lens.promoted_value[0], up[0], F * LENS);
	to_halves(lens.suppressed_value[0], down[0], F * LENS);
	struct tensor_out out[] = {
		{"promoted_token", DTYPE_U32, 2, {F, LENS}, lens.promoted},
		{"promoted_value", DTYPE_F16, 2, {F, LENS}, up},
		{"suppressed_token", DTYPE_U32, 2, {F, LENS}, lens.suppressed},
		{"suppressed_value", DTYPE_F16, 2, {F, LENS}, down},
	};
	write_file("logits.safetensors", out, ARRAY_LEN(out), NULL);
}

static void write_graph(void)
{
	static u32 id[F][NEIGHBOURS];
	static u16 score[F][NEIGHBOURS];
	for (u32 f = 0; f < F; f++) {
		bool taken[F] = {false};
		taken[f] = true;
		for (int i = 0; i < NEIGHBOURS; i++) {
			u32 best = f;
			f32 best_score = -2;
			for (u32 g = 0; g < F; g++) {
				f32 s = taken[g] ? -2 : dot(w_dec[f], w_dec[g]);
				if (s > best_score) {
					best = g;
					best_score = s;
				}
			}
			taken[best] = true;
			id[f][i] = best;
			score[f][i] = f32_to_f16(best_score);
		}
	}
	struct tensor_out out[] = {
		{"neighbour_id", DTYPE_U32, 2, {F, NEIGHBOURS}, id},
		{"neighbour_score", DTYPE_F16, 2, {F, NEIGHBOURS}, score},
	};
	write_file("graph.safetensors", out, ARRAY_LEN(out), NULL);
}

/* The topic a feature belongs to, or -1: its own, its word's, or the first of its pair. */
static int topic_of(u32 f)
{
	if (f < FAKE_WORLD_TOPICS)
		return (int)f;
	if (f >= PAIRS && f < WORDS)
		return (int)(f - PAIRS);
	return f >= WORDS && f < MIXTURES ? fake_world_topic(words[f]) : -1;
}

/* Planted: topics on a grid of six by four, their words around them, each in two parts by the parity
 * of its number; pairs half way to the next topic; mixtures anywhere, the dead in a row below. */
static void write_map(void)
{
	static f32 xy[F][2];
	static u32 cluster[F], part[F];
	struct buf names = BUF_INIT, parts = BUF_INIT;
	for (u32 f = 0; f < F; f++) {
		int topic = topic_of(f);
		f32 x = (f32)draw(65536) / 65536, y = 0.72f * (f32)draw(65536) / 65536;
		if (topic >= 0) {
			x = 0.09f + 0.164f * (f32)(topic % 6) + 0.045f * noise();
			y = 0.09f + 0.18f * (f32)(topic / 6) + 0.045f * noise() + (f % 2 ? 0.015f : 0);
		}
		xy[f][0] = MIN(MAX(x, 0), 1);
		xy[f][1] = f >= DEAD ? 0.8f : MIN(MAX(y, 0), 0.75f);
		cluster[f] = topic >= 0 ? (u32)topic : MAP_NONE;
		part[f] = topic >= 0 ? 2 * (u32)topic + f % 2 : MAP_NONE;
	}
	for (int t = 0; t < FAKE_WORLD_TOPICS; t++) {
		buf_add(&names, fake_world_topic_name(t), strlen(fake_world_topic_name(t)) + 1);
		for (int half = 0; half < 2; half++) {
			buf_addf(&parts, "%s, %s", fake_world_topic_name(t), half ? "odd" : "even");
			buf_addc(&parts, 0);
		}
	}
	struct map_parts m = {F, &xy[0][0], cluster, part, FAKE_WORLD_TOPICS, 2 * FAKE_WORLD_TOPICS, &names, &parts};
	struct err e = {0};
	char *at = path("map.safetensors");
	must(map_write(at, &m, UUID, BUILD, &e), &e);
	free(at);
	buf_release(&names);
	buf_release(&parts);
}

/* Input scores are real; output and topic scores are made up, the topics' highest. */
static void write_scores(void)
{
	static f32 input[F], output[F], topic[F];
	static u32 word[F][LENS];
	for (u32 f = 0; f < F; f++) {
		u32 hits = 0, tops = 0, n = 0;
		for (; tops < n_contexts[f] && contexts[f][tops].kind == CONTEXT_TOP; tops++)
			for (int i = 0; i < LENS; i++)
				hits += lens.promoted[f][i] == tokens[contexts[f][tops].pos];
		input[f] = tops ? (f32)hits / (f32)tops : NAN;
		output[f] = tops ? 0.001f * (f32)(f % 10) : NAN;
		topic[f] = !tops ? NAN : f < FAKE_WORLD_TOPICS ? 0.9f - 0.02f * (f32)f : f < WORDS ? 0.3f : 0.001f * (f32)(f % 50);
		memset(word[f], 0xff, sizeof word[f]);
		for (int i = 0; i < LENS && tops; i++)
			if (fake_world_topic(lens.promoted[f][i]) >= 0)
				word[f][n++] = lens.promoted[f][i];
	}
	struct tensor_out out[] = {
		{"input_score", DTYPE_F32, 1, {F}, input}, {"output_score", DTYPE_F32, 1, {F}, output},
		{"topic_score", DTYPE_F32, 1, {F}, topic}, {"topic_word", DTYPE_U32, 2, {F, LENS}, word},
	};
	write_file("scores.safetensors", out, ARRAY_LEN(out), NULL);
}

static struct label *label_list;
static u64 n_labels;

static void add_label(u32 f, enum label_kind kind, const char *source, f32 score, const char *text)
{
	label_list = xreallocarray(label_list, n_labels + 1, sizeof *label_list);
	label_list[n_labels++] = (struct label){{(const u8 *)xstrdup(text), strlen(text)}, f, kind, source, score, NULL, NULL};
}

/* The commonest tokens at the peaks, as the index names features without a label. */
static void add_lexical(u32 f)
{
	struct buf b = BUF_INIT;
	u32 said[4];
	size_t n = 0;
	for (u32 i = 0; i < n_contexts[f] && contexts[f][i].kind == CONTEXT_TOP && n < 4; i++) {
		u32 t = tokens[contexts[f][i].pos];
		bool seen = t < FAKE_WORLD_WORD;
		for (size_t k = 0; k < n; k++)
			seen |= said[k] == t;
		if (seen)
			continue;
		said[n++] = t;
		struct span s = fake_world_token(t);
		if (b.n)
			buf_adds(&b, ", ");
		buf_add(&b, s.p + (s.p[0] == ' '), s.n - (s.p[0] == ' '));
	}
	if (b.n)
		add_label(f, LABEL_LEXICAL, "lexical", NAN, b.s);
	buf_release(&b);
}

static void add_named(u32 f)
{
	char text[128];
	if (f < FAKE_WORLD_TOPICS) {
		snprintf(text, sizeof text, "words about %s", fake_world_topic_name((int)f));
		add_label(f, LABEL_MACHINE, "fake explainer", 0.9f - 0.01f * (f32)f, text);
		if (f % 3 == 0) {
			snprintf(text, sizeof text, "%s, broadly", fake_world_topic_name((int)f));
			add_label(f, LABEL_MACHINE, "second explainer", 0.4f, text);
		}
	} else if (f >= PAIRS && f < WORDS) {
		snprintf(text, sizeof text, "%s together with %s", fake_world_topic_name((int)(f - PAIRS)),
			 fake_world_topic_name((int)(f - PAIRS + 7) % FAKE_WORLD_TOPICS));
		add_label(f, LABEL_MACHINE, "fake explainer", 0.7f, text);
	}
}

/* Labels that no terminal should be given as they are. */
static void add_hostile(void)
{
	add_label(60, LABEL_MACHINE, "fake explainer", 0.6f,
		  "clears \033[2J\033[31mthe screen\033]0;title\007 and rings");
	add_label(61, LABEL_MACHINE, "fake explainer", 0.6f, "turned \xe2\x80\xae""around\xe2\x80\xac and \xe2\x81\xa6held\xe2\x81\xa9");
	add_label(62, LABEL_MACHINE, "fake explainer", 0.6f,
		  "an astronaut \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80 under \xe6\xa9\x8b\xe3\x81\xae\xe4\xb8\x8b");
	add_label(63, LABEL_MACHINE, "fake explainer", 0.6f,
		  "marks pile up: Z\xcc\x81\xcc\xa3\xcc\x82\xcc\xb1 e\xcc\x81 \xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab n\xcc\x83");
	struct buf b = BUF_INIT;
	for (int i = 0; i < 60; i++)
		buf_adds(&b, "a very long label ");
	add_label(64, LABEL_MACHINE, "fake explainer", 0.6f, b.s);
	buf_release(&b);
}

static void write_labels(void)
{
	for (u32 f = 0; f < F; f++) {
		add_lexical(f);
		add_named(f);
	}
	add_hostile();
	char *at = path("labels.safetensors");
	struct err e = {0};
	must(labels_write(at, label_list, n_labels, UUID, BUILD, &e), &e);
	free(at);
	for (u64 i = 0; i < n_labels; i++)
		free((void *)(uintptr_t)label_list[i].text.p);
	free(label_list);
}

static void write_vocab(void)
{
	u32 n = fake_world_n_vocab();
	struct span *texts = xcalloc(n, sizeof *texts);
	u8 *special = xcalloc(n, 1);
	for (u32 t = 0; t < n; t++) {
		texts[t] = fake_world_token(t);
		special[t] = fake_world_is_special(t);
	}
	char *at = path("vocab.safetensors");
	struct err e = {0};
	must(vocab_write(at, texts, special, n, UUID, BUILD, &e), &e);
	free(at);
	free(texts);
	free(special);
}

static int ascending(const void *a, const void *b)
{
	f32 x = *(const f32 *)a, y = *(const f32 *)b;
	return x < y ? -1 : x > y;
}

static f32 median_norm(void)
{
	static f32 norm[N];
	size_t n = 0;
	for (int i = 0; i < N; i++)
		if (!masked(i))
			norm[n++] = sqrtf(dot(rows[i], rows[i]));
	qsort(norm, n, sizeof *norm, ascending);
	return norm[n / 2];
}

static json_t *training(void)
{
	f64 error = 0, variance = 0, l0 = 0, kept = 0, dead = 0;
	for (int i = 0; i < N; i++) {
		if (masked(i))
			continue;
		f32 x[D];
		memcpy(x, rows[i], sizeof x);
		add(x, -1, b_dec);
		variance += (f64)dot(x, x);
		for (u32 k = 0; k < n_act[i]; k++)
			add(x, -act_val[i][k], w_dec[act_id[i][k]]);
		error += (f64)dot(x, x);
		l0 += n_act[i];
		kept++;
	}
	for (int f = 0; f < F; f++)
		dead += !count[f];
	return json_pack("{s:f, s:f, s:f}", "fvu", error / variance, "l0", l0 / kept, "dead_share", dead / F);
}

static void commit(void)
{
	static const char *const parts[][2] = {
		{"dictionary", "sae_weights.safetensors"}, {"store", "activations.safetensors"},
		{"vocab", "vocab.safetensors"}, {"labels", "labels.safetensors"}, {"logits", "logits.safetensors"},
		{"graph", "graph.safetensors"}, {"scores", "scores.safetensors"}, {"map", "map.safetensors"},
		{"runs", "runs.jsonl"},
	};
	json_t *j = atlas_json_new("sample");
	json_object_set_new(j, "uuid", json_string(UUID));
	json_object_set_new(j, "build_id", json_string(BUILD));
	json_object_set_new(j, "model",
			    json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "name", "fake world", "sha256", "", "tokenizer", "",
				      "d_model", D, "n_layers", FAKE_WORLD_LAYERS, "n_vocab", (int)fake_world_n_vocab()));
	json_object_set_new(j, "hook", json_pack("{s:s, s:i, s:s}", "name", HOOK, "layer", LAYER, "place", "resid_post"));
	json_object_set_new(j, "norm_median", json_f32(median_norm()));
	json_object_set_new(j, "template", json_string(""));
	json_object_set_new(j, "corpus", json_pack("{s:s, s:i, s:i}", "name", "what the fake world says", "n_texts",
						   N_TEXTS, "n_tokens", N));
	json_object_set_new(j, "training", training());
	struct err e = {0};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		must(atlas_note_part(j, folder, parts[i][0], parts[i][1], "mksample", NULL, &e), &e);
	must(atlas_commit(j, folder, &e), &e);
	json_decref(j);
}

static void write_acts(const char *path)
{
	struct err e = {0};
	const char *hook = HOOK;
	json_t *about = json_pack("{s:{s:s, s:i, s:i}, s:s}", "model", "name", "fake world", "d_model", D, "n_layers",
				  FAKE_WORLD_LAYERS, "template", "");
	struct acts_writer *w = acts_writer_open(path, about, &hook, 1, D, &e);
	if (!w)
		must(-1, &e);
	for (u64 t = acts_writer_texts(w); t < N_TEXTS; t++) {
		const f32 *x = rows[text_ptr[t]];
		must(acts_writer_text(w, tokens + text_ptr[t], flags + text_ptr[t], &x, TEXT, &e), &e);
	}
	must(acts_writer_close(w, &e), &e);
}

/* Runs as `featlas steer --json` prints them, so that the steering screen has something to tell
 * without a model; written by hand. */
static void write_runs(void)
{
	static const char runs[] =
		"{\"prompt\": \"Tell me what you saw.\", \"baseline\": \"I saw the court and the judge was there, and "
		"they gave a verdict.\", \"steered\": \"I saw the moon over the crater, and then a comet in its orbit "
		"with the planets.\", \"features\": [{\"id\": 8, \"label\": \"words about planets\", \"method\": "
		"\"add\", \"strength\": \"2x\", \"coefficient\": 16.75}], \"seed\": 1, \"temperature\": 0, \"n\": 20}\n"
		"{\"prompt\": \"What did you do?\", \"baseline\": \"We kept the soup on the oven and cut the bread.\", "
		"\"steered\": \"We kept the piano in the choir, and the drum kept the rhythm.\", \"features\": [{\"id\": 9, "
		"\"label\": \"words about music\", \"method\": \"add\", \"strength\": \"1.5x\", \"coefficient\": 12.5}, "
		"{\"id\": 10, \"label\": \"words about cooking\", \"method\": \"ablate\", \"strength\": \"0x\", "
		"\"coefficient\": 0}], \"seed\": 4, \"temperature\": 0.5, \"n\": 20}\n";
	struct err e = {0};
	char path[1024];
	snprintf(path, sizeof path, "%s/runs.jsonl", folder);
	must(outfile_write_all(path, runs, strlen(runs), &e), &e);
}

int main(int argc, char **argv)
{
	if (argc != 2 && argc != 3) {
		fputs("usage: mksample OUTDIR [OUT.acts]\n", stderr);
		return 2;
	}
	folder = argv[1];
	struct err e = {0};
	if (mkdir(folder, 0777) && errno != EEXIST)
		must(err_os(&e, "cannot make '%s'", folder), &e);
	for (int i = 0; i < N_TEXTS; i++)
		make_text(i);
	make_mean();
	make_decoder();
	make_encoder();
	make_statistics();
	write_dictionary();
	write_store();
	write_logits();
	write_graph();
	write_scores();
	write_labels();
	write_vocab();
	write_map();
	write_runs();
	commit();
	if (argc > 2)
		write_acts(argv[2]);
	return 0;
}
