/* SPDX-License-Identifier: MIT */
/* test_engine.c - the parts of the engine that need no model: sampler, likelihoods, templates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "module/logprob.h"
#include "module/model_file.h"
#include "module/sampler.h"
#include "module/template.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void best_and_worst_in_order(void **state)
{
	(void)state;
	const f32 scores[] = {1, 5, -2, 5, 3, -2, 0};
	u32 ids[7];
	sampler_top(scores, 7, 1, 4, ids);
	assert_memory_equal(ids, ((u32[]){1, 3, 4, 0}), 16);
	sampler_top(scores, 7, -1, 3, ids);
	assert_memory_equal(ids, ((u32[]){2, 5, 6}), 12);
	sampler_top(scores, 7, 1, 7, ids);
	assert_memory_equal(ids, ((u32[]){1, 3, 4, 0, 6, 2, 5}), 28);
	/* against counting, on scores with many ties */
	f32 many[1000];
	for (u32 i = 0; i < 1000; i++)
		many[i] = (f32)(i * 7919 % 97);
	u32 top[50];
	sampler_top(many, 1000, 1, 50, top);
	for (u32 k = 0; k < 50; k++) {
		u32 before = 0;
		for (u32 i = 0; i < 1000; i++)
			before += many[i] > many[top[k]] || (many[i] == many[top[k]] && i < top[k]);
		assert_int_equal(before, k);
	}
}

static void greedy_takes_the_lower_of_equals(void **state)
{
	(void)state;
	const f32 scores[] = {0, 2, 2, 1};
	struct sampler s;
	sampler_init(&s, 1, 0, 80, 0.97f);
	assert_int_equal(sampler_next(&s, scores, 4), 1);
}

/* Frequencies of 20,000 draws; probabilities 0.5, 0.25, 0.15, 0.1. */
static void draws(struct sampler *s, f64 share[4])
{
	const f32 scores[] = {logf(0.15f), logf(0.5f), logf(0.1f), logf(0.25f)};
	for (int i = 0; i < 4; i++)
		share[i] = 0;
	for (int i = 0; i < 20000; i++)
		share[sampler_next(s, scores, 4)] += 1.0 / 20000;
}

static void draws_follow_the_distribution(void **state)
{
	(void)state;
	struct sampler s;
	f64 share[4];
	sampler_init(&s, 3, 1, 0, 1);
	draws(&s, share);
	/* five standard deviations */
	assert_true(fabs(share[1] - 0.5) < 0.018 && fabs(share[3] - 0.25) < 0.016 && fabs(share[0] - 0.15) < 0.013);
	sampler_init(&s, 3, 1, 2, 1);
	draws(&s, share);
	assert_true(share[0] == 0 && share[2] == 0 && fabs(share[1] - 2.0 / 3) < 0.017);
	/* 0.5 + 0.25 reach 0.7: the other two are out */
	sampler_init(&s, 3, 1, 0, 0.7f);
	draws(&s, share);
	assert_true(share[0] == 0 && share[2] == 0 && fabs(share[1] - 2.0 / 3) < 0.017);
	/* at temperature 0.5 the weights are squared: 0.25, 0.0625, 0.0225, 0.01 of 0.345 */
	sampler_init(&s, 3, 0.5f, 0, 1);
	draws(&s, share);
	assert_true(fabs(share[1] - 0.25 / 0.345) < 0.016 && fabs(share[2] - 0.01 / 0.345) < 0.006);
}

static void a_seed_is_a_sequence(void **state)
{
	(void)state;
	f32 scores[64] = {0};
	struct sampler a, b, c;
	sampler_init(&a, 5, 1, 0, 1);
	sampler_init(&b, 5, 1, 0, 1);
	sampler_init(&c, 6, 1, 0, 1);
	u32 other = 0;
	for (int i = 0; i < 64; i++) {
		u32 x = sampler_next(&a, scores, 64);
		assert_int_equal(x, sampler_next(&b, scores, 64));
		other += x != sampler_next(&c, scores, 64);
	}
	assert_true(other > 32);
}

/* Values from numpy in float64, see the formulas beside them. */
static void likelihoods(void **state)
{
	(void)state;
	const f32 p[] = {1, 2, 3, 1000}, q[] = {0, 0, 0, 0}, r[] = {0, 1, 0, 2};
	/* 1000 + log1p(3 e^-997...) */
	assert_true(fabs(logprob_norm(p, 4) - 1000) < 1e-9);
	/* log(4), log(2 + e + e^2) */
	assert_true(fabs(logprob_norm(q, 4) - 1.3862943611198906) < 1e-7);
	assert_true(fabs(logprob_norm(r, 4) - 2.4938117090722387) < 1e-6);
	/* sum of p log(p / q): uniform against softmax(r), and the other way round */
	assert_true(fabs(logprob_kl(q, logprob_norm(q, 4), r, logprob_norm(r, 4), 4) - 0.3575173479523479) < 1e-6);
	assert_true(fabs(logprob_kl(r, logprob_norm(r, 4), q, logprob_norm(q, 4), 4) - 0.33758925857420463) < 1e-6);
	assert_true(logprob_kl(q, logprob_norm(q, 4), q, logprob_norm(q, 4), 4) == 0);
}

static const char *system_of(const char *jinja)
{
	static struct buf b = BUF_INIT;
	buf_clear(&b);
	template_default_system(jinja, &b);
	return b.s;
}

static void default_system_messages(void **state)
{
	(void)state;
	assert_string_equal(
		system_of("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
			  "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
			  "Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n'}}{% endfor %}"),
		"<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n");
	/* escapes, double quotes, an apostrophe in plain text and a turn that is only begun */
	assert_string_equal(system_of("it's {% if tools %}{{- '<|im_start|>system\\n' }}{% else %}"
				      "{{- \"<|im_start|>system\\nYou are Q's.<|im_end|>\\n\" }}{% endif %}"),
			    "<|im_start|>system\nYou are Q's.<|im_end|>\n");
	assert_string_equal(system_of("{{ '<|im_start|>system\\n<|im_end|>\\n' }}"), "");
	assert_string_equal(system_of("{{ bos_token }}{% for m in messages %}[INST] {{ m['content'] }}{% endfor %}"), "");
	assert_string_equal(system_of("{{ 'never closed"), "");
	assert_string_equal(system_of("{{"), "");
	assert_string_equal(system_of(""), "");
}

static int as_lines(const void *context, const char *const *roles, const char *const *contents, size_t n, bool open,
		    struct buf *out)
{
	if (context)
		return -1;
	for (size_t i = 0; i < n; i++)
		buf_addf(out, "%s: %s\n", roles[i], contents[i]);
	if (open)
		buf_adds(out, "assistant:");
	return 0;
}

static void contents_stand_where_they_are_said_to(void **state)
{
	(void)state;
	const char *roles[] = {"user", "assistant"};
	/* any bytes, a NUL and the placeholder of the other among them */
	const struct span contents[] = {{(const u8 *)"a\0b\x02" "content 1\x03", 14}, {(const u8 *)"", 0}};
	struct template_text t;
	assert_int_equal(template_render(as_lines, NULL, "SYS\n", false, roles, contents, 2, true, &t), 0);
	static const char want[] = "SYS\nuser: a\0b\x02" "content 1\x03\nassistant: \nassistant:";
	assert_int_equal(t.text.n, sizeof want - 1);
	assert_memory_equal(t.text.s, want, sizeof want);
	assert_int_equal(t.n_parts, 2);
	assert_int_equal(t.parts[0].begin, 10);
	assert_int_equal(t.parts[0].end, 24);
	assert_int_equal(t.parts[1].message, 1);
	assert_int_equal(t.parts[1].begin, t.parts[1].end);
	template_release(&t);
	/* a system message of the chat's own, and a renderer that knows nothing */
	roles[0] = "system";
	assert_int_equal(template_render(as_lines, NULL, "SYS\n", false, roles, contents + 1, 1, false, &t), 0);
	assert_string_equal(t.text.s, "system: \n");
	template_release(&t);
	assert_int_equal(template_render(as_lines, &t, "", false, roles, contents + 1, 1, false, &t), -1);
	template_release(&t);
	assert_int_equal(template_render(as_lines, &t, "", true, roles, contents + 1, 1, true, &t), 0);
	assert_string_equal(t.text.s, "<|im_start|>system\n<|im_end|>\n<|im_start|>assistant\n");
	template_release(&t);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void checksums_follow_the_file(void **state)
{
	(void)state;
	char dir[] = "/tmp/featlas-test-XXXXXX", path[64], cache[96], hex[65];
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/model", dir);
	assert_int_equal(setenv("XDG_CACHE_HOME", dir, 1), 0);
	put(path, "abc");
	static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	for (int i = 0; i < 2; i++) {
		assert_int_equal(model_file_sha256(path, hex, NULL, NULL), 0);
		assert_string_equal(hex, abc);
	}
	/* another size is another file; a cache of rubbish is no cache */
	put(path, "");
	assert_int_equal(model_file_sha256(path, hex, NULL, NULL), 0);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	snprintf(cache, sizeof cache, "%s/featlas/model-sha256.json", dir);
	assert_int_equal(access(cache, R_OK), 0);
	put(cache, "[\"rubbish\"");
	assert_int_equal(model_file_sha256(path, hex, NULL, NULL), 0);
	struct err e = {0};
	assert_int_equal(unlink(path), 0);
	assert_int_equal(model_file_sha256(path, hex, NULL, &e), -1);
	assert_non_null(strstr(e.msg, path));
	unlink(cache);
	*strrchr(cache, '/') = 0;
	rmdir(cache);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(best_and_worst_in_order),
		cmocka_unit_test(greedy_takes_the_lower_of_equals),
		cmocka_unit_test(draws_follow_the_distribution),
		cmocka_unit_test(a_seed_is_a_sequence),
		cmocka_unit_test(likelihoods),
		cmocka_unit_test(default_system_messages),
		cmocka_unit_test(contents_stand_where_they_are_said_to),
		cmocka_unit_test(checksums_follow_the_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
