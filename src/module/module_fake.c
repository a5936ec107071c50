/* SPDX-License-Identifier: MIT */
/* module_fake.c - the fake module: the made-up model of fake_world.h behind the protocol.
 *
 * Deterministic and fast, for tests, screens and the manual's examples.  Its switches make
 * it slow, silent, noisy or mortal, so that what a client does then can be tested.
 */
#include "config.h"

#include "module/fake_world.h"
#include "module/server.h"

#include "base/mem.h"
#include "core/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { D = FAKE_WORLD_D, LAYERS = FAKE_WORLD_LAYERS, CTX = 2048 };

static struct fake {
	u32 n_vocab;
	u64 delay_ms;    /* before each token, and each pass */
	u64 load_ms;     /* how long loading takes */
	i64 crash_after; /* tokens or passes; -1: never */
	bool hang, flood, rubbish, fail_load;
} fake = {.crash_after = -1};

static void sleep_ms(u64 ms)
{
	struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
	nanosleep(&t, NULL);
}

static void wait_a_while(const struct module_request *r, u64 ms)
{
	for (; ms && !module_cancelled(r); ms -= MIN(ms, 5u))
		sleep_ms(MIN(ms, 5u));
}

/* What the switches ask for, before each token and each pass. */
static void misbehave(struct module_request *r)
{
	static const char rubbish[] = "Segmentation fault? no: {\"jsonrpc\": rubbish\n";
	wait_a_while(r, fake.delay_ms);
	while (fake.hang)
		sleep_ms(1000);
	while (fake.flood)
		if (write(r->s->out, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 32) < 0)
			_exit(1);
	if (fake.rubbish && write(r->s->out, rubbish, strlen(rubbish)) < 0)
		_exit(1);
	if (fake.crash_after >= 0 && fake.crash_after-- == 0) {
		fputs("featlas-fake: assertion failed: the world is finite\n", stderr);
		_exit(134);
	}
}

static int parse_arguments(int argc, char **argv, struct err *e)
{
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;
		if (!strcmp(argv[i], "--delay-ms") && more)
			fake.delay_ms = strtoull(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--load-ms") && more)
			fake.load_ms = strtoull(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--crash-after") && more)
			fake.crash_after = strtoll(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--hang"))
			fake.hang = true;
		else if (!strcmp(argv[i], "--flood"))
			fake.flood = true;
		else if (!strcmp(argv[i], "--rubbish"))
			fake.rubbish = true;
		else if (!strcmp(argv[i], "--fail-load"))
			fake.fail_load = true;
		else
			return err_set(e, ERR_USAGE, "featlas-fake does not know '%s'", argv[i]);
	}
	return 0;
}

static void *load(int argc, char **argv, struct module_info *info, struct module_request *r, struct err *e)
{
	const char *delay = getenv("FEATLAS_FAKE_DELAY_MS");
	if (delay)
		fake.delay_ms = strtoull(delay, NULL, 10);
	if (parse_arguments(argc, argv, e))
		return NULL;
	if (fake.fail_load) {
		err_set(e, ERR_UNAVAILABLE, "cannot load the model: it is made up");
		return NULL;
	}
	for (u64 t = 0; t < fake.load_ms && !module_cancelled(r); t += 20) {
		module_progress(r, "loading", t, fake.load_ms);
		sleep_ms(20);
	}
	if (module_cancelled(r)) {
		err_set(e, ERR_CANCELLED, "cancelled");
		return NULL;
	}
	fake.n_vocab = fake_world_n_vocab();
	snprintf(info->name, sizeof info->name, "fake world");
	snprintf(info->tokenizer, sizeof info->tokenizer, "fake-world-1");
	snprintf(info->templ, sizeof info->templ, "<|begin|>{user}<|end|>\n");
	info->d_model = D;
	info->n_layers = LAYERS;
	info->n_vocab = fake.n_vocab;
	info->n_ctx = CTX;
	info->bos = FAKE_WORLD_BEGIN;
	return &fake;
}

static void unload(void *m)
{
	(void)m;
}

static int vocab(void *m, struct buf *blob, u64 *offsets, u8 *special, struct err *e)
{
	(void)m;
	(void)e;
	for (u32 t = 0; t < fake.n_vocab; t++) {
		struct span s = fake_world_token(t);
		offsets[t] = blob->n;
		buf_add(blob, s.p, s.n);
		special[t] = fake_world_is_special(t);
	}
	offsets[fake.n_vocab] = blob->n;
	return 0;
}

/* Growing tokens and flags. */
struct sequence {
	u32 *tokens;
	u8 *flags;
	size_t n;
};

static void append(struct sequence *s, const char *text, size_t n, bool template)
{
	size_t more = fake_world_tokenize(text, n, template, NULL, 0);
	s->tokens = xreallocarray(s->tokens, s->n + more + 1, sizeof *s->tokens);
	s->flags = xreallocarray(s->flags, s->n + more + 1, sizeof *s->flags);
	fake_world_tokenize(text, n, template, s->tokens + s->n, more);
	memset(s->flags + s->n, template ? TOKEN_SPECIAL : 0, more);
	s->n += more;
}

static int tokenize(void *m, const struct module_text *t, u32 **tokens, u8 **flags, size_t *n, struct err *e)
{
	(void)m;
	(void)e;
	struct sequence s = {0};
	size_t prompt = 0;
	append(&s, "<|begin|>", 9, true);
	if (t->text)
		append(&s, t->text, t->n, false);
	for (size_t i = 0; i < t->n_messages; i++) {
		const struct module_message *msg = &t->messages[i];
		bool last = i + 1 == t->n_messages;
		if (!strcmp(msg->role, "assistant"))
			prompt = s.n;
		append(&s, msg->content, msg->n, false);
		/* an answer that is not closed can be gone on with */
		if (!last || t->open || strcmp(msg->role, "assistant"))
			append(&s, "<|end|>\n", 8, true);
	}
	if (t->n_messages && strcmp(t->messages[t->n_messages - 1].role, "assistant"))
		prompt = s.n;
	for (size_t i = 0; i < prompt; i++)
		s.flags[i] |= TOKEN_PROMPT;
	s.flags[0] |= TOKEN_FIRST;
	*tokens = s.tokens;
	*flags = s.flags;
	*n = s.n;
	return 0;
}

static int render(void *m, const struct module_text *t, struct buf *out, struct err *e)
{
	(void)m;
	(void)e;
	buf_adds(out, "<|begin|>");
	for (size_t i = 0; i < t->n_messages; i++) {
		buf_add(out, t->messages[i].content, t->messages[i].n);
		if (i + 1 < t->n_messages || t->open || strcmp(t->messages[i].role, "assistant"))
			buf_adds(out, "<|end|>\n");
	}
	return 0;
}

/* The residual stream of one position while it goes up through the layers. */
struct column {
	const struct module_request *r;
	const struct run *run; /* NULL: nothing intervenes */
	const u32 *tokens;
	size_t n_prompt, position;
	f32 change[D]; /* what interventions added so far */
	bool changed;
	const char *want_hook; /* its row goes to want, as it was before interventions there */
	f32 *want;
	f32 *work;
};

static void pass_hook(struct column *c, u32 layer, enum hook_place place)
{
	f32 base[D], x[D];
	char name[48];
	snprintf(name, sizeof name, "blocks.%u.hook_resid_%s", layer,
		 place == HOOK_RESID_PRE ? "pre" : "post");
	if (place == HOOK_RESID_PRE && layer == 0)
		fake_world_embedding(c->tokens[c->position], base);
	else
		fake_world_row(c->tokens, c->position, (int)layer - (place == HOOK_RESID_PRE), base);
	for (int k = 0; k < D; k++)
		x[k] = c->changed ? base[k] + c->change[k] : base[k];
	if (c->want_hook && !strcmp(c->want_hook, name))
		memcpy(c->want, x, sizeof x);
	if (!c->run ||
	    !run_apply(c->run, name, module_encoder(c->r, name), c->n_prompt, c->position, D, x, c->work))
		return;
	c->changed = true;
	for (int k = 0; k < D; k++)
		c->change[k] = x[k] - base[k];
}

/* The row that the unembedding reads. */
static void pass(struct column *c, f32 *out)
{
	c->changed = false;
	for (u32 l = 0; l < LAYERS; l++) {
		pass_hook(c, l, HOOK_RESID_PRE);
		pass_hook(c, l, HOOK_RESID_POST);
	}
	fake_world_row(c->tokens, c->position, LAYERS - 1, out);
	for (int k = 0; k < D && c->changed; k++)
		out[k] += c->change[k];
}

static f32 *work_of(const struct module_request *r, const struct run *runs, size_t n)
{
	u32 most = 0;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < runs[i].n_list; j++) {
			const struct run_encoder *c = module_encoder(r, runs[i].list[j].hook);
			most = c ? MAX(most, c->n) : most;
		}
	return xcalloc((size_t)D + most, sizeof(f32));
}

static int states(void *m, struct module_request *r, const u32 *tokens, size_t n, const char *const *hooks,
		  size_t n_hooks, f32 *const *rows, struct err *e)
{
	(void)m;
	misbehave(r);
	for (size_t h = 0; h < n_hooks; h++)
		for (size_t i = 0; i < n; i++) {
			if (module_cancelled(r))
				return err_set(e, ERR_CANCELLED, "cancelled");
			struct column c = {.r = r,
					   .tokens = tokens,
					   .position = i,
					   .want_hook = hooks[h],
					   .want = rows[h] + i * D};
			f32 last[D];
			pass(&c, last);
		}
	return 0;
}

static u64 draw_bits(u64 *state)
{
	/* splitmix64, Steele, Lea and Flood 2014 */
	u64 z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

struct candidate {
	u32 token;
	f32 logit;
	f64 p;
};

static int better(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->logit != y->logit)
		return x->logit < y->logit ? 1 : -1;
	return x->token < y->token ? -1 : 1;
}

static f64 soften(struct candidate *c, size_t n, f64 temperature)
{
	f64 sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += c[i].p = exp(((f64)c[i].logit - (f64)c[0].logit) / temperature);
	return sum;
}

/* Top-k, then top-p, then temperature, then one draw. */
static u32 sample(const f32 *logits, u32 n_vocab, const struct generate_options *o, u64 *state,
		  struct candidate *c)
{
	for (u32 t = 0; t < n_vocab; t++)
		c[t] = (struct candidate){t, logits[t], 0};
	qsort(c, n_vocab, sizeof *c, better);
	if (o->temperature == 0)
		return c[0].token;
	size_t n = MIN(o->top_k, n_vocab), keep = 0;
	f64 sum = soften(c, n, 1), seen = 0;
	while (keep < n && seen < (f64)o->top_p * sum)
		seen += c[keep++].p;
	sum = soften(c, keep, (f64)o->temperature);
	f64 u = (f64)(draw_bits(state) >> 11) * 0x1p-53 * sum;
	for (size_t i = 0; i < keep; i++)
		if ((u -= c[i].p) < 0)
			return c[i].token;
	return c[keep ? keep - 1 : 0].token;
}

/* One run of a generation. */
struct stream {
	u32 *tokens; /* [n_tokens + o->n_tokens] */
	size_t n;
	u64 state;
	bool ended;
};

static void step(struct module_request *r, const struct run *run, struct stream *s, size_t i,
		 const struct generate_options *o, f32 *work, f32 *logits, struct candidate *c)
{
	f32 row[D], last[D];
	struct column column = {.r = r,
				.run = run,
				.tokens = s->tokens,
				.n_prompt = run->n_tokens,
				.position = s->n - 1,
				.want_hook = o->rows_hook,
				.want = row,
				.work = work};
	misbehave(r);
	pass(&column, last);
	fake_world_logits(last, logits);
	u32 token = sample(logits, fake.n_vocab, o, &s->state, c);
	if (token == FAKE_WORLD_END) {
		s->ended = true;
		module_end(r, i);
		return;
	}
	s->tokens[s->n++] = token;
	module_token(r, i, token, o->rows_hook ? row : NULL);
}

static int generate(void *m, struct module_request *r, const struct run *runs, size_t n_runs,
		    const struct generate_options *o, struct err *e)
{
	(void)m;
	struct stream *streams = xcalloc(n_runs, sizeof *streams);
	f32 *logits = xcalloc(fake.n_vocab, sizeof *logits), *work = work_of(r, runs, n_runs);
	struct candidate *c = xcalloc(fake.n_vocab, sizeof *c);
	for (size_t i = 0; i < n_runs; i++) {
		streams[i].tokens = xcalloc(runs[i].n_tokens + o->n_tokens, sizeof(u32));
		memcpy(streams[i].tokens, runs[i].tokens, runs[i].n_tokens * sizeof(u32));
		streams[i].n = runs[i].n_tokens;
		streams[i].state = runs[i].seed;
	}
	for (u32 t = 0; t < o->n_tokens && !module_cancelled(r); t++) {
		module_step(r);
		for (size_t i = 0; i < n_runs && !module_cancelled(r); i++)
			if (!streams[i].ended)
				step(r, &runs[i], &streams[i], i, o, work, logits, c);
		module_progress(r, "tokens", t + 1, o->n_tokens);
	}
	for (size_t i = 0; i < n_runs; i++)
		free(streams[i].tokens);
	free(streams);
	free(logits);
	free(work);
	free(c);
	return module_cancelled(r) ? err_set(e, ERR_CANCELLED, "cancelled") : 0;
}

static void log_softmax(const f32 *logits, f64 *out)
{
	f64 most = (f64)logits[0], sum = 0;
	for (u32 t = 1; t < fake.n_vocab; t++)
		most = MAX(most, (f64)logits[t]);
	for (u32 t = 0; t < fake.n_vocab; t++)
		sum += exp((f64)logits[t] - most);
	for (u32 t = 0; t < fake.n_vocab; t++)
		out[t] = (f64)logits[t] - most - log(sum);
}

static void log_probabilities(struct module_request *r, const struct run *run, size_t i, f32 *work, f64 *out)
{
	f32 last[D];
	f32 *logits = xcalloc(fake.n_vocab, sizeof *logits);
	struct column c = {.r = r,
			   .run = run,
			   .tokens = run->tokens,
			   .n_prompt = run->n_prompt,
			   .position = i,
			   .work = work};
	pass(&c, last);
	fake_world_logits(last, logits);
	log_softmax(logits, out);
	free(logits);
}

/* mine and base: scratch of n_vocab each; base belongs to the first run at the same position. */
static int score_run(struct module_request *r, const struct run *runs, size_t run, f32 *work, f64 *mine,
		     f64 *base, struct score *out, struct err *e)
{
	const struct run *me = &runs[run];
	f64 kl = 0;
	for (size_t i = 0; i < me->n_tokens; i++) {
		bool judged = i + 1 >= MAX(me->n_prompt, 1u) && i + 1 < me->n_tokens,
		     end = i + 1 == me->n_tokens;
		if (module_cancelled(r))
			return err_set(e, ERR_CANCELLED, "cancelled");
		if (!judged && !(end && me->n_want))
			continue;
		log_probabilities(r, me, i, work, mine);
		if (end) {
			out->want_logp = xcalloc(me->n_want, sizeof(f32));
			for (size_t w = 0; w < me->n_want; w++)
				out->want_logp[w] = (f32)mine[me->want_tokens[w]];
			continue;
		}
		out->nll -= mine[me->tokens[i + 1]];
		out->n++;
		if (run && i < runs[0].n_tokens) {
			log_probabilities(r, &runs[0], i, work, base);
			for (u32 t = 0; t < fake.n_vocab; t++)
				kl += exp(base[t]) * (base[t] - mine[t]);
		}
	}
	out->kl = run && out->n ? kl / (f64)out->n : NAN;
	return 0;
}

static int score(void *m, struct module_request *r, const struct run *runs, size_t n_runs, struct score *out,
		 struct err *e)
{
	(void)m;
	f32 *work = work_of(r, runs, n_runs);
	f64 *mine = xcalloc(fake.n_vocab, sizeof *mine), *base = xcalloc(fake.n_vocab, sizeof *base);
	int bad = 0;
	for (size_t i = 0; i < n_runs && !bad; i++) {
		misbehave(r);
		bad = score_run(r, runs, i, work, mine, base, &out[i], e);
		module_progress(r, "runs", i + 1, n_runs);
	}
	free(work);
	free(mine);
	free(base);
	return bad;
}

static int lens(void *m, struct module_request *r, const f32 *vectors, size_t n, u32 k, u32 *top_token,
		f32 *top_value, u32 *bottom_token, f32 *bottom_value, struct err *e)
{
	(void)m;
	f32 *logits = xcalloc(fake.n_vocab, sizeof *logits);
	struct candidate *c = xcalloc(fake.n_vocab, sizeof *c);
	for (size_t i = 0; i < n && !module_cancelled(r); i++) {
		f32 unit[D];
		f64 norm = 0, mean = 0;
		for (int j = 0; j < D; j++)
			norm += (f64)vectors[i * D + j] * (f64)vectors[i * D + j];
		for (int j = 0; j < D; j++)
			unit[j] = norm > 0 ? (f32)((f64)vectors[i * D + j] / sqrt(norm)) : 0;
		fake_world_unembed(unit, logits);
		for (u32 t = 0; t < fake.n_vocab; t++)
			mean += (f64)logits[t] / fake.n_vocab;
		for (int sign = 1; sign >= -1; sign -= 2) {
			for (u32 t = 0; t < fake.n_vocab; t++)
				c[t] = (struct candidate){t, (f32)(sign * ((f64)logits[t] - mean)), 0};
			qsort(c, fake.n_vocab, sizeof *c, better);
			for (u32 j = 0; j < k; j++) {
				(sign > 0 ? top_token : bottom_token)[i * k + j] = c[j].token;
				(sign > 0 ? top_value : bottom_value)[i * k + j] = (f32)sign * c[j].logit;
			}
		}
	}
	free(logits);
	free(c);
	return module_cancelled(r) ? err_set(e, ERR_CANCELLED, "cancelled") : 0;
}

static const struct module_ops ops = {
	.program = "featlas-fake",
	.usage = "featlas-fake [--delay-ms N] [--load-ms N] [--crash-after N] [--hang] [--flood] [--rubbish] "
		 "[--fail-load]\n\n"
		 "A made-up model behind featlas-backend(7), for tests.",
	.load = load,
	.unload = unload,
	.vocab = vocab,
	.tokenize = tokenize,
	.render = render,
	.states = states,
	.generate = generate,
	.score = score,
	.lens = lens,
};

int main(int argc, char **argv)
{
	return module_main(&ops, argc, argv);
}
