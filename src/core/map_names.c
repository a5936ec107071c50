/* SPDX-License-Identifier: MIT */
/* map_names.c - the words that texts of a group have in common and others have not. */
#include "core/map.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "core/topic_base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 32, SHOWN = 3, LEAST = 2 };

/* Words that hold texts together but say nothing about them, and words about labels. */
static const char *const stop[] = {
	"about", "above", "after", "again", "against", "all", "also", "although", "always", "among", "and",
	"another", "any", "are", "around", "auto", "automatic", "away", "back", "because", "been",
	"before", "begin", "beginning", "begins", "being", "below", "beside", "between", "both", "but",
	"can", "cannot", "capitalised", "capitalized", "clause", "context", "contexts", "could", "did",
	"does", "doing", "done", "down", "during", "each", "either", "else", "end", "ending", "ends",
	"etc", "even", "ever", "every", "first", "follow", "followed", "following", "follows", "for",
	"form", "forms", "from", "get", "gets", "getting", "give", "given", "gives", "had", "has", "have",
	"having", "her", "here", "hers", "him", "his", "how", "inside", "into", "its", "just", "kind",
	"kinds", "label", "labels", "last", "letter", "letters", "lexical", "like", "likely", "line",
	"made", "make", "makes", "making", "many", "may", "means", "might", "more", "most", "much", "must",
	"name", "names", "near", "never", "next", "none", "nor", "not", "noun", "nouns", "now", "off",
	"often", "one", "ones", "only", "onto", "other", "others", "our", "out", "over", "own", "part",
	"parts", "phrase", "phrases", "plural", "prefix", "said", "same", "say", "says", "second", "see",
	"sentence", "sentences", "several", "she", "should", "similar", "since", "some", "someone",
	"something", "start", "starts", "still", "such", "suffix", "take", "taken", "takes", "term",
	"terms", "text", "texts", "than", "that", "the", "their", "them", "then", "there", "these", "they",
	"thing", "things", "this", "those", "though", "through", "token", "tokens", "too", "toward",
	"towards", "two", "under", "until", "upon", "use", "used", "uses", "using", "various", "verb",
	"verbs", "very", "via", "was", "way", "ways", "well", "were", "what", "when", "where", "whether",
	"which", "while", "who", "whom", "whose", "why", "will", "with", "within", "without", "word",
	"words", "would", "yet", "you", "your",
};

struct seen { /* a word in a text */
	u64 word; /* where it stands in the pool of words, NUL-terminated */
	u32 group;
};

struct scored {
	u64 word;
	u32 group;
	f64 z;
};

struct names {
	struct buf words;
	struct seen *seen;
	size_t n, cap;
	struct scored *scored;
	size_t n_scored;
	u64 *in_group; /* words seen in a group */
};

static int compare_stop(const void *a, const void *b)
{
	return strcmp(a, *(const char *const *)b);
}

static void add_word(struct names *s, u64 from, u32 group)
{
	const char *word = s->words.s + from;
	if (bsearch(word, stop, ARRAY_LEN(stop), sizeof *stop, compare_stop))
		return;
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 4096;
		s->seen = xreallocarray(s->seen, s->cap, sizeof *s->seen);
	}
	s->seen[s->n++] = (struct seen){from, group};
}

/* True if the text that began at seen[first] has the word already. */
static bool is_repeated(const struct names *s, size_t first, const char *word)
{
	for (size_t k = first; k < s->n; k++)
		if (!strcmp(s->words.s + s->seen[k].word, word))
			return true;
	return false;
}

/* Three letters at least, fewer where they are not Latin; ASCII letters in lower case. */
static void add_text(struct names *s, const char *text, size_t n, u32 group)
{
	size_t first = s->n;
	for (size_t at = 0; at < n;) {
		u64 from = s->words.n;
		size_t letters = 0;
		while (at < n) {
			i32 cp;
			size_t step = utf8_next(text + at, n - at, &cp);
			if (!topic_is_letter(cp) || cp == 0xfffd || utf8_is_unsafe(cp))
				break;
			if (cp < 128)
				buf_addc(&s->words, (char)(cp >= 'A' && cp <= 'Z' ? cp + 32 : cp));
			else
				buf_add(&s->words, text + at, step);
			letters += cp < 0x2e80 ? 1 : 3;
			at += step;
		}
		if (at < n) {
			i32 cp;
			at += utf8_next(text + at, n - at, &cp);
		}
		size_t length = s->words.n - from;
		buf_addc(&s->words, 0);
		if (letters < 3 || length > LONGEST || is_repeated(s, first, s->words.s + from))
			s->words.n = from;
		else
			add_word(s, from, group);
	}
}

static const char *sorted_words; /* qsort has no context; names are made on one thread */

static int by_word(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int order = strcmp(sorted_words + x->word, sorted_words + y->word);
	return order ? order : x->group < y->group ? -1 : x->group > y->group;
}

static int by_score(const void *a, const void *b)
{
	const struct scored *x = a, *y = b;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->z < y->z || x->z > y->z)
		return x->z < y->z ? 1 : -1;
	return strcmp(sorted_words + x->word, sorted_words + y->word);
}

/* How far the log-odds of a word in a group stand above the others', in standard deviations; the
 * prior is the word's share of all, worth a hundred words, or a twentieth of all where they are few. */
static f64 z_score(f64 in, f64 group, f64 all, f64 total)
{
	f64 worth = fmin(100, total / 20), prior = worth * all / total, out = all - in, rest = total - group;
	f64 here = (in + prior) / (group + worth - in - prior);
	f64 there = (out + prior) / (rest + worth - out - prior);
	return (log(here) - log(there)) / sqrt(1 / (in + prior) + 1 / (out + prior));
}

static void score(struct names *s, u32 n_groups)
{
	s->in_group = xcalloc((size_t)n_groups + 1, sizeof *s->in_group);
	s->scored = xcalloc(s->n + 1, sizeof *s->scored);
	for (size_t i = 0; i < s->n; i++)
		if (s->seen[i].group < n_groups)
			s->in_group[s->seen[i].group]++;
	for (size_t i = 0, end; i < s->n; i = end) {
		for (end = i + 1; end < s->n && !strcmp(s->words.s + s->seen[i].word, s->words.s + s->seen[end].word);)
			end++;
		for (size_t k = i, to; k < end; k = to) {
			u32 g = s->seen[k].group;
			for (to = k + 1; to < end && s->seen[to].group == g;)
				to++;
			if (g >= n_groups || to - k < LEAST)
				continue;
			f64 z = z_score((f64)(to - k), (f64)s->in_group[g], (f64)(end - i), (f64)s->n);
			if (z > 1.0)
				s->scored[s->n_scored++] = (struct scored){s->seen[k].word, g, z};
		}
	}
	qsort(s->scored, s->n_scored, sizeof *s->scored, by_score);
}

/* "bridge" and "bridges" are one word to a name. */
static bool is_like(const char *a, const char *b)
{
	size_t n = 0;
	while (a[n] && a[n] == b[n])
		n++;
	size_t shorter = MIN(strlen(a), strlen(b));
	return n >= 3 && n + 1 >= shorter;
}

static void write_names(const struct names *s, u32 n_groups, struct buf *out)
{
	size_t at = 0;
	for (u32 g = 0; g < n_groups; g++) {
		const char *taken[SHOWN];
		size_t n = 0;
		for (; at < s->n_scored && s->scored[at].group == g; at++) {
			const char *word = s->words.s + s->scored[at].word;
			bool like = n == SHOWN || (n && s->scored[at].z < 0.4 * s->scored[at - 1].z);
			for (size_t k = 0; k < n && !like; k++)
				like = is_like(word, taken[k]);
			if (like)
				continue;
			buf_addf(out, "%s%s", n ? ", " : "", word);
			taken[n++] = word;
		}
		buf_addc(out, 0);
	}
}

void map_names(const struct map_texts *t, const u32 *group, u32 n_groups, struct buf *names)
{
	struct names s = {.words = BUF_INIT};
	struct buf text = BUF_INIT;
	for (u32 i = 0; i < t->n; i++) {
		buf_clear(&text);
		t->text(t->context, i, &text);
		add_text(&s, text.s, text.n, group[i]);
	}
	sorted_words = s.words.s;
	if (s.n)
		qsort(s.seen, s.n, sizeof *s.seen, by_word);
	score(&s, n_groups);
	write_names(&s, n_groups, names);
	sorted_words = NULL;
	buf_release(&text);
	buf_release(&s.words);
	free(s.seen);
	free(s.scored);
	free(s.in_group);
}
