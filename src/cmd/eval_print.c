/* SPDX-License-Identifier: MIT */
/* eval_print.c - eval's figures for reading: as text, and as Markdown for a page. */
#include "cmd/eval.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "core/run.h"
#include "session/hit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* nats: a batch of another shape sums in another order */
#define SELF_TOLERANCE 1e-3

size_t eval_n_known(const struct eval_report *r)
{
	size_t n = 0;
	for (size_t i = 0; r->concepts && i < r->suite->n; i++)
		n += r->concepts[i].held_out.auroc >= SUITE_GOOD;
	return n;
}

size_t eval_n_dense(const struct eval_report *r)
{
	size_t n = 0;
	for (size_t i = 0; r->concepts && i < r->suite->n; i++)
		n += r->concepts[i].dense >= SUITE_GOOD;
	return n;
}

size_t eval_n_steer(const struct eval_report *r, size_t *judged)
{
	size_t n = 0;
	*judged = 0;
	for (size_t i = 0; r->steering && i < r->suite->n; i++) {
		const struct steer_figure *f = steer_tables_figure(r->steering, &r->suite->concepts[i]);
		*judged += f != NULL;
		n += f && hit_steers(f->seeds_hit, f->seeds);
	}
	return n;
}

/* ---- the dictionary ---- */

static void print_held_out(const struct eval_report *report)
{
	const struct eval_result *r = &report->held_out;
	printf("held out       %llu texts, %llu unmasked tokens\n", (unsigned long long)r->n_texts_held_out,
	       (unsigned long long)r->n_rows);
	printf("FVU            %.4f\nL0             %.1f\n", r->fvu, r->l0);
	if (report->n_dead_over)
		printf("dead           %.2f %% silent on %llu indexed tokens\n",
		       100.0 * (f64)report->n_dead / report->s->atlas->n_features, (unsigned long long)report->n_dead_over);
	if (!r->n_targets)
		return;
	printf("cross-entropy  nats a token over %llu tokens of %llu texts\n",
	       (unsigned long long)r->n_targets, (unsigned long long)r->n_texts);
	printf("  clean        %.4f\n  itself       %.4f  %s\n  spliced      %.4f  %.4f lost\n", r->ce_clean,
	       r->ce_self,
	       fabs(r->ce_self - r->ce_clean) <= SELF_TOLERANCE ? "as it should be"
								: "DIFFERS: do not trust the rest",
	       r->ce_spliced, r->ce_spliced - r->ce_clean);
	printf("  mean         %.4f\n  zero         %.4f\n", r->ce_mean, r->ce_zero);
	printf("recovered      %.4f against the mean, %.4f against zero\n", r->recovered, r->recovered_zero);
}

static void print_density(const struct eval_report *r)
{
	const struct density *d = &r->density;
	u64 most = 1;
	for (int i = 0; i < DENSITY_BINS; i++)
		most = MAX(most, d->counts[i]);
	printf("density        %llu features by the share of %llu tokens on which they fire, median %.2g\n",
	       (unsigned long long)r->s->atlas->n_features, (unsigned long long)d->n_indexed, d->median);
	for (int i = 0; i < DENSITY_BINS; i++) {
		if (!d->counts[i])
			continue;
		printf("  10^%-4.1f %7llu ", DENSITY_LOWEST + DENSITY_STEP * i, (unsigned long long)d->counts[i]);
		for (u64 k = 0; k < (d->counts[i] * 40 + most - 1) / most; k++)
			putchar('#');
		putchar('\n');
	}
	printf("  never   %7llu\n", (unsigned long long)d->n_dead);
}

static void print_agree(const struct coherence *c)
{
	puts("coherence      words shared by a feature and its neighbours (Jaccard), and by shuffled ones");
	for (int i = 0; i < N_AGREE; i++)
		if (c[i].n_pairs)
			printf("  %-10s   %.4f against %.4f, sd %.5f, z %.1f  %u features, %llu pairs\n", agree_names[i],
			       c[i].observed, c[i].mean, c[i].sd, c[i].z, c[i].n_items, (unsigned long long)c[i].n_pairs);
}

/* ---- concepts ---- */

static void print_concept(struct session *s, const struct suite_result *c)
{
	struct buf line = BUF_INIT;
	struct atlas_scores scores;
	buf_addf(&line, "%-24s", c->concept->name);
	if (!c->n_top)
		buf_adds(&line, "  nothing fires on its texts");
	else {
		u32 id = c->top[0].feature;
		char *label = session_label_text(s, id);
		atlas_scores(s->atlas, id, &scores);
		buf_addf(&line, " %.3f  %.3f  %.3f  #%-7u", (f64)c->held_out.auroc, (f64)c->top[0].auroc, (f64)c->dense,
			 id);
		for (size_t i = 0; i < c->n_languages; i++)
			buf_addf(&line, "%s %.2f ", c->languages[i].code, (f64)c->languages[i].auroc);
		cmd_add_text(&line, label, strlen(label));
		free(label);
	}
	buf_addc(&line, '\n');
	cmd_flush(&line);
	buf_release(&line);
}

static void print_concepts(const struct eval_report *r)
{
	size_t several = 0, across = 0;
	printf("concepts       %zu, read %s, a text's value the %s of its tokens\n", r->suite->n,
	       r->options.chat ? "as a user's message" : "as plain text", r->options.value == FIND_MAX ? "largest" : "mean");
	puts("                         held out  all    dense  feature");
	for (size_t i = 0; i < r->suite->n; i++) {
		const struct suite_result *c = &r->concepts[i];
		print_concept(r->s, c);
		several += c->n_languages > 0;
		across += c->n_languages && suite_languages_good(c) == c->n_languages;
	}
	printf("known          %zu of %zu concepts have one feature of held-out AUROC %.1f or more\n", eval_n_known(r),
	       r->suite->n, (f64)SUITE_GOOD);
	printf("dense          %zu are known by a linear probe on all numbers of the same rows\n", eval_n_dense(r));
	if (several)
		printf("languages      %zu of %zu in several languages have it in all of them\n", across, several);
}

static void print_steering(const struct eval_report *r)
{
	size_t judged, steer = eval_n_steer(r, &judged), none = 0;
	puts("steering       seeds   texts  baseline random  feature");
	for (size_t i = 0; i < r->suite->n; i++) {
		const struct suite_concept *c = &r->suite->concepts[i];
		const struct steer_choice *x = steer_tables_choice(r->steering, c);
		const struct steer_figure *f = steer_tables_figure(r->steering, c);
		none += x && x->feature == NO_FEATURE;
		if (!f)
			continue;
		struct buf line = BUF_INIT;
		char *label = session_label_text(r->s, f->feature);
		buf_addf(&line, "  %-22s %2u/%-2u %2u/%-2u %2u %2u  %s  #%-6u %.4gx  ", c->name, f->seeds_hit, f->seeds, f->hits,
			 f->texts, f->baseline, f->random, hit_steers(f->seeds_hit, f->seeds) ? "steers" : "      ",
			 f->feature, f->strength);
		cmd_add_text(&line, label, strlen(label));
		buf_addc(&line, '\n');
		cmd_flush(&line);
		buf_release(&line);
		free(label);
	}
	printf("steer          %zu of %zu concepts judged; for %zu nothing tried had a hit\n", steer, judged, none);
}

static void add_prediction(struct buf *out, const struct prediction *p)
{
	if (isnan(p->rho))
		buf_addc(out, '-');
	else
		buf_addf(out, "%+.2f of %zu", p->rho, p->n);
}

static void print_predicts(const struct eval_report *r)
{
	printf("what predicts  rank correlation with hits: features judged, features tried\n");
	for (int i = 0; i < N_PREDICT; i++) {
		struct buf line = BUF_INIT;
		buf_addf(&line, "  %-10s   ", predict_names[i]);
		add_prediction(&line, &r->predicts[PREDICT_JUDGED][i]);
		buf_adds(&line, ", ");
		add_prediction(&line, &r->predicts[PREDICT_TRIED][i]);
		puts(line.s);
		buf_release(&line);
	}
}

void eval_print(const struct eval_report *r)
{
	if (r->held_out.n_rows)
		print_held_out(r);
	if (r->has_density)
		print_density(r);
	if (r->has_agree)
		print_agree(r->agree);
	for (size_t i = 0; i < ARRAY_LEN(r->lacks); i++)
		if (*r->lacks[i])
			printf("%s\n", r->lacks[i]);
	if (r->concepts)
		print_concepts(r);
	if (r->steering && r->steering->n_choices) {
		print_steering(r);
		print_predicts(r);
	}
}

/* ---- Markdown ---- */

/* Safe in a cell of a table. */
static void add_cell(struct buf *out, const char *s)
{
	struct buf safe = BUF_INIT;
	utf8_add_safe(&safe, s, strlen(s));
	for (size_t i = 0; i < safe.n; i++) {
		if (strchr("|\\`*_<", safe.s[i]))
			buf_addc(out, '\\');
		buf_addc(out, safe.s[i]);
	}
	buf_release(&safe);
}

static void markdown_held_out(const struct eval_report *report)
{
	const struct eval_result *r = &report->held_out;
	puts("| figure | value |\n| --- | --- |");
	printf("| FVU (%llu texts, %llu tokens) | %.4f |\n| L0 | %.1f |\n", (unsigned long long)r->n_texts_held_out,
	       (unsigned long long)r->n_rows, r->fvu, r->l0);
	if (report->n_dead_over)
		printf("| dead features (%llu tokens) | %.2f %% |\n", (unsigned long long)report->n_dead_over,
		       100.0 * (f64)report->n_dead / report->s->atlas->n_features);
	if (r->n_targets)
		printf("| cross-entropy clean (%llu texts, %llu tokens) | %.4f nats |\n| spliced | %.4f nats: %.4f lost |\n"
		       "| mean-ablated | %.4f nats |\n| zero-ablated | %.4f nats |\n| recovered | %.4f (against zero-ablation %.4f) |\n"
		       "| splicing the rows themselves | %.4f nats |\n",
		       (unsigned long long)r->n_texts, (unsigned long long)r->n_targets, r->ce_clean, r->ce_spliced,
		       r->ce_spliced - r->ce_clean, r->ce_mean, r->ce_zero, r->recovered, r->recovered_zero, r->ce_self);
	puts("");
}

static void markdown_density(const struct eval_report *r)
{
	puts("| density from | to | features |\n| --- | --- | ---: |");
	printf("| never | | %llu |\n", (unsigned long long)r->density.n_dead);
	for (int i = 0; i < DENSITY_BINS; i++)
		if (r->density.counts[i])
			printf("| 10^%.1f | 10^%.1f | %llu |\n", DENSITY_LOWEST + DENSITY_STEP * i,
			       DENSITY_LOWEST + DENSITY_STEP * (i + 1), (unsigned long long)r->density.counts[i]);
	printf("\n%llu indexed tokens; the median feature fires on %.2g of them.\n\n",
	       (unsigned long long)r->density.n_indexed, r->density.median);
}

static void markdown_agree(const struct coherence *c)
{
	puts("| words of | neighbours share | shuffled | sd | z | features | pairs |\n"
	     "| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
	for (int i = 0; i < N_AGREE; i++)
		if (c[i].n_pairs)
			printf("| %s | %.4f | %.4f | %.5f | %.1f | %u | %llu |\n", agree_names[i], c[i].observed, c[i].mean,
			       c[i].sd, c[i].z, c[i].n_items, (unsigned long long)c[i].n_pairs);
	puts("");
}

static void add_score(struct buf *out, f32 v)
{
	if (isnan(v))
		buf_adds(out, " - |");
	else
		buf_addf(out, " %.2g |", (f64)v);
}

static void add_neighbours(struct buf *out, struct session *s, u32 id)
{
	struct atlas_neighbour near[3];
	size_t n = atlas_neighbours(s->atlas, id, near, ARRAY_LEN(near));
	for (size_t i = 0; i < n; i++) {
		char *label = session_label_text(s, near[i].id);
		buf_addf(out, "%s #%u ", i ? ";" : "", near[i].id);
		add_cell(out, label);
		free(label);
	}
	buf_adds(out, " |");
}

static void markdown_concept(struct session *s, const struct suite_result *c)
{
	struct buf line = BUF_INIT;
	struct atlas_scores scores;
	buf_addf(&line, "| %s |", c->concept->name);
	if (!c->n_top)
		buf_adds(&line, " - | - | - | - | nothing fires | | | | |");
	else {
		u32 id = c->top[0].feature;
		char *label = session_label_text(s, id);
		atlas_scores(s->atlas, id, &scores);
		buf_addf(&line, " %.3f | %.3f | %.3f | #%u | ", (f64)c->held_out.auroc, (f64)c->top[0].auroc,
			 (f64)c->dense, id);
		add_cell(&line, label);
		buf_addf(&line, " | %u/%u, %u/%u |", c->top[0].n_positive, c->n_positive, c->top[0].n_negative, c->n_negative);
		add_score(&line, scores.input);
		add_score(&line, scores.topic);
		add_neighbours(&line, s, id);
		free(label);
	}
	puts(line.s);
	buf_release(&line);
}

static void markdown_languages(const struct eval_report *r)
{
	const struct suite_result *first = NULL;
	for (size_t i = 0; i < r->suite->n && !first; i++)
		if (r->concepts[i].n_languages)
			first = &r->concepts[i];
	if (!first)
		return;
	printf("\n| concept | feature |");
	for (size_t k = 0; k < first->n_languages; k++)
		printf(" %s |", first->languages[k].code);
	printf("\n| --- | --- |");
	for (size_t k = 0; k < first->n_languages; k++)
		printf(" ---: |");
	puts("");
	for (size_t i = 0; i < r->suite->n; i++) {
		const struct suite_result *c = &r->concepts[i];
		if (!c->n_languages)
			continue;
		printf("| %s | #%u |", c->concept->name, c->top[0].feature);
		for (size_t k = 0; k < first->n_languages; k++) {
			size_t l = 0;
			while (l < c->n_languages && strcmp(c->languages[l].code, first->languages[k].code))
				l++;
			if (l < c->n_languages)
				printf(" %.2f |", (f64)c->languages[l].auroc);
			else
				printf(" |");
		}
		puts("");
	}
}

static void markdown_concepts(const struct eval_report *r)
{
	puts("| concept | held out | all | dense probe | feature | label | fires on positive, negative | detects | writes | "
	     "neighbours |\n"
	     "| --- | ---: | ---: | ---: | --- | --- | --- | ---: | ---: | --- |");
	for (size_t i = 0; i < r->suite->n; i++)
		markdown_concept(r->s, &r->concepts[i]);
	printf("\n%zu of %zu concepts have one feature of held-out AUROC %.1f or more; a linear probe on all numbers of the "
	       "same rows has %zu.\n", eval_n_known(r), r->suite->n, (f64)SUITE_GOOD, eval_n_dense(r));
	markdown_languages(r);
}

static void markdown_steering(const struct eval_report *r)
{
	size_t judged, steer = eval_n_steer(r, &judged), none = 0;
	puts("\n| concept | feature | label | strength | seeds hit | texts hit | baseline | random | nats above baseline | steers |\n"
	     "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |");
	for (size_t i = 0; i < r->suite->n; i++) {
		const struct suite_concept *c = &r->suite->concepts[i];
		const struct steer_choice *x = steer_tables_choice(r->steering, c);
		const struct steer_figure *f = steer_tables_figure(r->steering, c);
		if (x && x->feature == NO_FEATURE) {
			printf("| %s | - | nothing tried had a hit | | | | | | | no |\n", c->name);
			none++;
		}
		if (!f)
			continue;
		struct buf line = BUF_INIT;
		char *label = session_label_text(r->s, f->feature);
		buf_addf(&line, "| %s | #%u | ", c->name, f->feature);
		add_cell(&line, label);
		buf_addf(&line, " | %.4gx | %u/%u | %u/%u | %u/%u | %u/%u | %+.2f | %s |", f->strength, f->seeds_hit, f->seeds,
			 f->hits, f->texts, f->baseline, f->texts, f->random, f->texts, f->excess,
			 hit_steers(f->seeds_hit, f->seeds) ? "yes" : "no");
		puts(line.s);
		buf_release(&line);
		free(label);
	}
	printf("\n%zu of %zu concepts steer by this rule; for %zu of them nothing tried had a hit.\n", steer, judged + none, none);
}

static void add_rho(struct buf *out, const struct prediction *p)
{
	if (isnan(p->rho))
		buf_adds(out, " - |");
	else
		buf_addf(out, " %+.2f (%zu) |", p->rho, p->n);
}

static void markdown_predicts(const struct eval_report *r)
{
	puts("\n| score | judged | tried |\n| --- | ---: | ---: |");
	for (int i = 0; i < N_PREDICT; i++) {
		struct buf line = BUF_INIT;
		buf_addf(&line, "| %s |", predict_names[i]);
		add_rho(&line, &r->predicts[PREDICT_JUDGED][i]);
		add_rho(&line, &r->predicts[PREDICT_TRIED][i]);
		puts(line.s);
		buf_release(&line);
	}
}

void eval_print_markdown(const struct eval_report *r)
{
	if (r->held_out.n_rows)
		markdown_held_out(r);
	if (r->has_density)
		markdown_density(r);
	if (r->has_agree)
		markdown_agree(r->agree);
	if (r->concepts)
		markdown_concepts(r);
	if (r->steering && r->steering->n_choices) {
		markdown_steering(r);
		markdown_predicts(r);
	}
}
