/* SPDX-License-Identifier: MIT */
/* bench_keys.c - how long a key of the terminal program takes to become a frame.
 *
 * usage: bench_keys FEATLAS ATLAS [BACKEND [KEYS [LOAD]]]
 *        bench_keys FEATLAS ATLAS BACKEND KEYS screens    every screen, at rest and then from a cold disk;
 *                                                         neighbours and a map that the atlas lacks are made up
 *        bench_keys FEATLAS ATLAS BACKEND KEYS cold       the second alone
 *
 * From a cold disk: before each screen the atlas's files leave the memory, no key is left out, and KEYS are at
 * most COLD_KEYS, for in the end everything has been read.
 *
 * The program runs on a pseudo-terminal of 120 x 40.  A key is sent when the screen has been
 * still for a moment; timed is from before the key is written to when all that the program
 * wrote in answer has been read.  Each key is also sent to an echo - a process that waits in
 * poll and writes one byte back - so that what the machine's load alone costs stands beside it.
 * "own" is the processor time of the thread that draws, all it did for the key included: it does
 * not grow because others want the processor.  "queue" is how long that thread was ready to run
 * meanwhile and waited for a processor.  "silent" keys changed nothing on the screen.  "beside" is
 * the processors' time, in per cent of one, that the load itself took meanwhile: the program's
 * other threads and the model's process.
 *
 * No row takes longer than ROW_MS: "keys" says how many it came to.  Where the program shows nothing, or
 * ends, the row says that.
 *
 * With SLOW_KEYS in the environment every key over 16 ms, or silent, is named on stderr; with ONLY, a part of a
 * screen's name, the other screens are left out.
 *
 * The label search runs in the program over many labels for each feature with a pattern that
 * takes long; the harvest is a process of its own; the generation runs in the program.
 */
#include "base/mem.h"
#include "core/atlas.h"
#include "core/labels.h"
#include "made_up.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	COLS = 120,
	ROWS = 40,
	STILL_MS = 12,	   /* between an answer and the next key */
	ANSWER_MS = 500,   /* after this a key has no answer */
	SLICE_MS = 20,
	SLICES = 4,        /* nor after so many in which the program slept */
	WARM_KEYS = 10,	   /* not counted */
	GOAL_MS = 16,
	ROW_MS = 5000,	   /* for the keys of a screen, of every one */
	COLD_KEYS = 60,
	JOBS_MS = 30000,   /* and at most for what its jobs do first */
	MAX_KEYS = 2000,
	LABELS_EACH = 200, /* extra ones of a feature, for the search */
	CORPUS_TEXTS = 20000
};

enum load { REST, SEARCH, HARVEST, GENERATION, N_LOADS, COLD = N_LOADS };
static const char *const load_names[] = {"at rest", "label search", "harvest", "generation", "a cold disk"};

/* Every step of `in` and `keys` is one key; a blank between them means nothing, '_' is a space. */
struct scene {
	const char *name, *in, *from_steer, *keys; /* how to come there from the list, or from a run */
};

#define ENTER "\r"
#define DOWN_HALF "\004"
#define UP_HALF "\025"
#define PAGE_DOWN "\006"
#define PAGE_UP "\002"
#define RUB_7 "\177\177\177\177\177\177\177"
static const struct scene scenes[] = {
	{"list, scrolling", "", "gf",
	 "jjjjj" DOWN_HALF "jj" DOWN_HALF "kkk" UP_HALF PAGE_DOWN "jj" PAGE_UP UP_HALF "kkkk"},
	{"list, typing a regex", "/", "gf/", "bridge|(north|south)_[ae].*a" RUB_7 RUB_7 RUB_7 RUB_7},
	{"feature page", "j" ENTER, "go", "jj\tjjj\tjj]jj]j\tj[w"},
	{"graph", "jj" ENTER "gn", "gn", "ljhk+l-jl.h"},
	{"steer screen", "gs", "", "lLlhHh" "lllhhh"},
};

/* Every screen; those whose part an atlas lacks show the sentence that says so. */
static const struct scene screens[] = {
	{"list, scrolling", "", "", "jjjjj" DOWN_HALF "jj" DOWN_HALF "kkk" UP_HALF PAGE_DOWN "jj" PAGE_UP "Gkkggj"},
	{"list, typing a regex", "/", "", "bridge|(north|south)_[ae].*a" RUB_7 RUB_7 RUB_7 RUB_7},
	{"list, from hit to hit", "/^the" ENTER, "", "nnNn*Nnz/nGnz/"},
	{"list, sorting, ranges", "", "", "sdjSGkvggvsmGsuggsi"},
	{"list, labels, tags, undo", "", "", "tx" ENTER "jr4jatx" ENTER "uuuu"},
	{"list, queries", "", "",
	 "&tag:x" ENTER "&" UP_HALF "id:9..29" ENTER "&" UP_HALF "id:5..50" ENTER "j&" UP_HALF ENTER},
	{"feature page", "j" ENTER, "", "jj\tjjj\tjj]jj]j\tj[w"},
	{"graph", "jj" ENTER "gn", "", "ljhk+l-jl.h"},
	{"map", "gm", "", "+ljhk+HJKL--f"},
	{"map, hits", "/^the" ENTER "gm", "", "nnN++nnN--]]["},
	{"text", "gtiThe_river_runs_under_the_bridge." ENTER, "", "lljkhsw"},
	{"lens", "gLiThe_river_runs_under_the_bridge." ENTER, "", "lljkhw"},
	{"find", "gF", "", "aone" ENTER "jatwo" ENTER "kj"},
	{"steer", "gs", "", "lLlHhHlllhhh"},
	{"sweep", "gw", "", "jlkh"},
	{"runs", "gr", "", "jk"},
	{"quiz", "j" ENTER "gz", "", "j_j_k"},
	{"triage", "gq", "", "jjkJJKlhw"},
	{"triage, deciding", "gq", "", "a_dauJ_uexyz" ENTER "u"},
	{"compare", "_j_c", "", "jk"},
	{"dictionary", "gd", "", "jk"},
	{"atlas", "gi", "", "jk"},
	{"options", "gO", "", "jjjkkk"},
	{"jobs", "sdsmsigj", "", "jk"},
	{"messages", "nnngl", "", "jk"},
	{"help", "?", "", "jjjkkk" DOWN_HALF UP_HALF},
	{"palette", ":", "", "go\177\177label\177\177\177\177\177"},
};

struct sample {
	f64 frame, own, queue, echo; /* ms */
};

struct bench {
	const char *program, *backend;
	char *folder;	     /* everything here */
	char *atlas, *wide;  /* the atlas, and the same with many labels */
	char *hook;
	int n_keys;
	bool names_slow;
	bool every, cold;    /* every screen; each from a cold disk */
	pid_t echo, harvest;
	int echo_fd;
};

struct app {
	int fd;
	pid_t pid;
};

static void die(const char *what)
{
	fprintf(stderr, "bench_keys: %s\n", what);
	exit(1);
}

static f64 now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (f64)t.tv_sec * 1e3 + (f64)t.tv_nsec / 1e6;
}

/* ---- the pseudo-terminal ---- */

/* Reads what there is; false when nothing came within ms. */
static bool take(int fd, int ms)
{
	char chunk[65536];
	struct pollfd p = {fd, POLLIN, 0};
	if (poll(&p, 1, ms) <= 0)
		return false;
	return read(fd, chunk, sizeof chunk) > 0;
}

static f64 answer(int fd, const char *key)
{
	f64 start = now_ms();
	if (write(fd, key, 1) != 1 || !take(fd, ANSWER_MS))
		return -1;
	while (take(fd, 0))
		;
	return now_ms() - start;
}

/* The state of the first thread: 'S' when it waits. */
static char thread_state(pid_t pid)
{
	char path[64], state = '?';
	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, pid);
	FILE *f = fopen(path, "r");
	if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = '?';
	if (f)
		fclose(f);
	return state;
}

/* The same of the program: a key is silent where its first thread has gone to sleep without an answer.  What
 * comes later is a job's. */
static f64 answer_of(const struct app *a, const char *key)
{
	f64 start = now_ms();
	if (write(a->fd, key, 1) != 1)
		return -1;
	for (int asleep = 0; !take(a->fd, SLICE_MS);) {
		asleep = thread_state(a->pid) == 'S' ? asleep + 1 : 0;
		if (asleep == SLICES || now_ms() - start > ANSWER_MS)
			return -1;
	}
	while (take(a->fd, 0))
		;
	return now_ms() - start;
}

static void until_still(int fd, int ms)
{
	f64 end = now_ms() + 20 * ms;
	while (now_ms() < end && take(fd, ms))
		;
}

/* Of the first thread: how long it ran, and how long it was ready to run and did not, or NULL. */
static f64 own_ms(pid_t pid, f64 *queued)
{
	char path[64];
	unsigned long long ran = 0, waited = 0;
	snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", pid, pid);
	FILE *f = fopen(path, "r");
	if (f && fscanf(f, "%llu %llu", &ran, &waited) != 2)
		ran = waited = 0;
	if (f)
		fclose(f);
	if (queued)
		*queued = (f64)waited / 1e6;
	return (f64)ran / 1e6;
}

/* Of a process: its parent, and the processor time it took. */
static bool read_stat(pid_t pid, pid_t *parent, f64 *ms)
{
	char path[64], line[1024];
	unsigned long user, sys;
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *f = fopen(path, "r");
	char *at = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
	if (f)
		fclose(f);
	static const char form[] = "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu";
	if (!at || sscanf(at + 2, form, parent, &user, &sys) != 3)
		return false;
	*ms = (f64)(user + sys) * 1e3 / (f64)sysconf(_SC_CLK_TCK);
	return true;
}

/* Processor time of a process and of its children that live. */
static f64 family_ms(pid_t pid)
{
	f64 total = 0, ms;
	pid_t parent;
	DIR *d = opendir("/proc");
	for (struct dirent *f; d && (f = readdir(d));) {
		pid_t at = (pid_t)strtol(f->d_name, NULL, 10);
		if (at > 0 && read_stat(at, &parent, &ms) && (at == pid || parent == pid))
			total += ms;
	}
	if (d)
		closedir(d);
	return total;
}

static f64 beside_ms(const struct bench *b, const struct app *a)
{
	return family_ms(a->pid) - own_ms(a->pid, NULL) + (b->harvest ? family_ms(b->harvest) : 0);
}

/* ---- processes ---- */

static pid_t on_terminal(int *fd)
{
	struct winsize size = {.ws_row = ROWS, .ws_col = COLS};
	pid_t pid = forkpty(fd, NULL, NULL, &size);
	if (pid < 0)
		die("no pseudo-terminal");
	return pid;
}

static void start_echo(struct bench *b)
{
	b->echo = on_terminal(&b->echo_fd);
	if (b->echo)
		return;
	struct termios t;
	tcgetattr(0, &t);
	cfmakeraw(&t);
	tcsetattr(0, TCSANOW, &t);
	char c = '.';
	do {
		struct pollfd p = {0, POLLIN, 0};
		if (write(1, &c, 1) != 1 || poll(&p, 1, -1) < 0)
			break;
	} while (read(0, &c, 1) == 1);
	_exit(0);
}

static void send_keys(const struct app *a, const char *keys)
{
	for (; *keys; keys++) {
		answer_of(a, keys);
		until_still(a->fd, 30);
	}
}

static void spawn(const struct bench *b, const char *atlas, struct app *a)
{
	a->pid = on_terminal(&a->fd);
	if (!a->pid) {
		setenv("TERM", "xterm-256color", 1);
		setenv("XDG_STATE_HOME", b->folder, 1);
		setenv("FEATLAS_FAKE_DELAY_MS", "20", 0); /* a true model's token takes time */
		setenv("XDG_CONFIG_HOME", b->folder, 1);
		execlp(b->program, b->program, "open", "--backend", b->backend, atlas, (char *)NULL);
		_exit(127);
	}
}

static bool start_app(const struct bench *b, enum load load, struct app *a)
{
	spawn(b, load == SEARCH ? b->wide : b->atlas, a);
	bool shows = take(a->fd, 20000);
	until_still(a->fd, 200);
	return shows;
}

static void end(pid_t pid)
{
	if (pid > 0) {
		kill(pid, SIGTERM);
		waitpid(pid, NULL, 0);
	}
}

static void end_app(struct app *a)
{
	close(a->fd); /* it leaves when its terminal has gone */
	end(a->pid);
}

/* ---- the loads ---- */

/* The pages of a folder's files are given up, so that the next reading is from the disk. */
static void leave_memory(const char *folder)
{
	DIR *d = opendir(folder);
	for (struct dirent *f; d && (f = readdir(d));) {
		int fd = openat(dirfd(d), f->d_name, O_RDONLY);
		if (fd < 0)
			continue;
		fsync(fd); /* what is not yet written cannot leave */
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
	if (d)
		closedir(d);
}

static void write_corpus(const char *path)
{
	FILE *f = fopen(path, "w");
	for (int i = 0; f && i < CORPUS_TEXTS; i++)
		fprintf(f, "{\"text\":\"Text %d: the river runs under the old bridge, and on its far side "
			   "the town keeps a museum of maps, clocks and instruments that nobody has opened "
			   "for years.\"}\n", i);
	if (!f || fclose(f))
		die("cannot write a corpus");
}

static void start_harvest(struct bench *b)
{
	char *corpus = xasprintf("%s/corpus.jsonl", b->folder), *out = xasprintf("%s/out.acts", b->folder);
	write_corpus(corpus);
	b->harvest = fork();
	if (!b->harvest) {
		int nowhere = open("/dev/null", O_RDWR);
		dup2(nowhere, 0);
		dup2(nowhere, 1);
		dup2(nowhere, 2);
		execlp(b->program, b->program, "harvest", corpus, out, "--hook", b->hook, "--backend",
		       b->backend, (char *)NULL);
		_exit(127);
	}
	free(corpus);
	free(out);
}

/* Waits until the load is at work: false if it never is. */
static bool at_work(const struct bench *b, const struct app *a)
{
	f64 before = beside_ms(b, a), end_at = now_ms() + 60000;
	while (now_ms() < end_at) {
		until_still(a->fd, 100);
		poll(NULL, 0, 100);
		if (beside_ms(b, a) - before > 100)
			return true;
	}
	return false;
}

/* Waits for the jobs of a screen, so that it is the screen that is timed. */
static bool until_idle(const struct bench *b, const struct app *a)
{
	f64 end_at = now_ms() + JOBS_MS, before = beside_ms(b, a), now;
	for (int idle = 0; idle < 3 && now_ms() < end_at; before = now) {
		until_still(a->fd, 100);
		poll(NULL, 0, 100);
		now = beside_ms(b, a);
		idle = now - before < 10 ? idle + 1 : 0;
	}
	return now_ms() < end_at;
}

static void begin_load(struct bench *b, const struct app *a, enum load load)
{
	if (load == SEARCH) /* every label gives up late */
		send_keys(a, "/(?:[a-z]+ ?)+\\d$" ENTER);
	else if (load == GENERATION)
		send_keys(a, "gson" UP_HALF "900" ENTER ENTER);
	else if (load == HARVEST && !b->harvest)
		start_harvest(b);
	if (load != REST && load != COLD && !at_work(b, a))
		fprintf(stderr, "bench_keys: the load '%s' takes no time\n", load_names[load]);
}

/* ---- measuring ---- */

static int rising(const void *a, const void *b)
{
	f64 x = *(const f64 *)a, y = *(const f64 *)b;
	return (x > y) - (x < y);
}

struct spread {
	f64 p50, p99, max;
};

static struct spread spread(const struct sample *s, int n, size_t offset)
{
	f64 x[MAX_KEYS];
	for (int i = 0; i < n; i++)
		x[i] = *(const f64 *)((const char *)&s[i] + offset);
	qsort(x, (size_t)n, sizeof *x, rising);
	return (struct spread){x[n / 2], x[(n * 99 - 1) / 100], x[n - 1]};
}

static int measure(const struct bench *b, const struct app *a, const struct scene *scene, struct sample *out,
		   int *n_silent)
{
	int n = 0, warm = b->cold ? 0 : WARM_KEYS, n_keys = b->cold ? MIN(b->n_keys, COLD_KEYS) : b->n_keys;
	f64 end_at = now_ms() + (b->every ? ROW_MS : INFINITY);
	*n_silent = 0;
	for (int i = -warm; n + *n_silent < n_keys && now_ms() < end_at; i++) {
		size_t at = (size_t)(i + warm) % strlen(scene->keys);
		char key = scene->keys[at] == '_' ? ' ' : scene->keys[at];
		struct sample s;
		f64 queued, queued_before, own = own_ms(a->pid, &queued_before);
		s.frame = answer_of(a, &key);
		until_still(a->fd, STILL_MS);
		s.own = own_ms(a->pid, &queued) - own;
		s.queue = queued - queued_before;
		s.echo = answer(b->echo_fd, "e");
		if ((s.frame > GOAL_MS || s.frame < 0) && b->names_slow)
			fprintf(stderr, "%s: key %d, '%c': %.1f ms, own %.1f, queue %.1f\n", scene->name, i, key, s.frame,
				s.own, s.queue);
		if (i >= 0 && s.frame < 0)
			++*n_silent;
		else if (i >= 0)
			out[n++] = s;
	}
	return n;
}

static void print_row(const struct scene *scene, enum load load, const struct sample *s, int n, f64 busy, int silent)
{
	static const size_t columns[] = {offsetof(struct sample, frame), offsetof(struct sample, own),
					 offsetof(struct sample, queue), offsetof(struct sample, echo)};
	printf("| %s | %s | %d |", scene->name, load_names[load], n);
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		if (!n) {
			printf(" - | - | - |");
			continue;
		}
		struct spread x = spread(s, n, columns[i]);
		printf(" %.1f | %.1f | %.1f |", x.p50, x.p99, x.max);
	}
	printf(" %.0f %% | %d |\n", MAX(100 * busy, 0.0), silent);
}

static bool has_ended(struct app *a)
{
	if (!waitpid(a->pid, NULL, WNOHANG))
		return false;
	a->pid = 0;
	return true;
}

static void row(struct bench *b, enum load load, const struct scene *scene)
{
	struct sample s[MAX_KEYS];
	struct app a;
	int silent = 0, n = 0;
	f64 busy = 0, start;
	if (load == COLD)
		leave_memory(b->atlas);
	const char *why = start_app(b, load, &a) ? NULL : "the program shows nothing";
	if (!why) {
		begin_load(b, &a, load);
		send_keys(&a, load == GENERATION ? scene->from_steer : scene->in);
		until_still(a.fd, 100);
		if (b->every && !until_idle(b, &a))
			why = "its jobs take longer than half a minute";
		busy = beside_ms(b, &a);
		start = now_ms();
		if (!why && !has_ended(&a))
			n = measure(b, &a, scene, s, &silent);
		busy = (beside_ms(b, &a) - busy) / (now_ms() - start);
		why = !a.pid || has_ended(&a) ? "the program has ended" : why;
	}
	end_app(&a);
	if (why)
		printf("| %s | %s | not reached: %s |\n", scene->name, load_names[load], why);
	else
		print_row(scene, load, s, n, busy, silent);
	fflush(stdout);
}

/* ---- opening ---- */

static f64 resident_mb(pid_t pid, const char *what)
{
	char path[64], line[256];
	f64 kb = 0;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, what, strlen(what)))
			kb = strtod(line + strlen(what), NULL);
	if (f)
		fclose(f);
	return kb / 1024;
}

/* Until the first frame has been read: it has the words "features" in it. */
static f64 first_frame(const struct bench *b, struct app *a)
{
	char text[65536];
	size_t n = 0;
	f64 start = now_ms();
	spawn(b, b->atlas, a);
	while (n < sizeof text - 1 && now_ms() - start < 20000) {
		struct pollfd p = {a->fd, POLLIN, 0};
		ssize_t got = poll(&p, 1, 1000) > 0 ? read(a->fd, text + n, sizeof text - 1 - n) : 0;
		n += (size_t)MAX(got, 0);
		text[n] = 0;
		if (strstr(text, " features"))
			return now_ms() - start;
	}
	return NAN;
}

static void opening(const struct bench *b)
{
	enum { ROUNDS = 5 };
	f64 ms[ROUNDS], all = 0, own = 0;
	for (int i = 0; i < ROUNDS; i++) {
		struct app a;
		if (b->cold)
			leave_memory(b->atlas);
		ms[i] = first_frame(b, &a);
		until_still(a.fd, 200);
		all = resident_mb(a.pid, "VmRSS:");
		own = resident_mb(a.pid, "RssAnon:");
		end_app(&a);
	}
	qsort(ms, ROUNDS, sizeof *ms, rising);
	printf("From %sthe start of the program to its first frame %.0f ms (median of %d); memory at rest %.0f MiB, "
	       "%.0f of them not pages of files.\n\n",
	       b->cold ? "a cold disk, from " : "", ms[ROUNDS / 2], ROUNDS, all, own);
}

/* ---- the atlases ---- */

static void link_files(const char *from, const char *to, const char *but)
{
	DIR *d = opendir(from);
	char *real = realpath(from, NULL);
	if (!d || !real || mkdir(to, 0700))
		die("cannot copy the atlas");
	for (struct dirent *f; (f = readdir(d));) {
		if (f->d_name[0] == '.' || !strncmp(f->d_name, "labels.db", 9) || !strcmp(f->d_name, but))
			continue;
		char *old = xasprintf("%s/%s", real, f->d_name), *new = xasprintf("%s/%s", to, f->d_name);
		if (symlink(old, new))
			die("cannot copy the atlas");
		free(old);
		free(new);
	}
	free(real);
	closedir(d);
}

/* The labels there are, and as many more as it takes. */
static void write_labels(const struct atlas *a, const char *path)
{
	struct err e = {0};
	u64 n = a->labels ? labels_count(a->labels) : 0, m = 0;
	struct label *list = mem_try(n + (u64)a->n_features * LABELS_EACH, sizeof *list, "labels", &e);
	if (!list)
		die(e.msg);
	static const char text[] = "words about rivers bridges and the towns on either side";
	for (; m < n; m++)
		labels_at(a->labels, m, &list[m]);
	for (u32 f = 0; f < a->n_features; f++)
		for (int i = 0; i < LABELS_EACH; i++)
			list[m++] = (struct label){
				.text = {(const u8 *)text, sizeof text - 1}, .feature = f, .kind = LABEL_LEXICAL,
				.source = "bench", .score = -1.0f};
	const json_t *parts = json_object_get(a->json, "parts");
	const char *build = json_opt_str(json_object_get(parts, "labels"), "build_id", a->build_id);
	if (labels_write(path, list, m, a->uuid, build, &e))
		die(e.msg);
	free(list);
}

static void make_atlases(struct bench *b, const char *from, bool wide)
{
	struct err e = {0};
	b->atlas = xasprintf("%s/plain.atlas", b->folder);
	b->wide = xasprintf("%s/wide.atlas", b->folder);
	link_files(from, b->atlas, "");
	if (wide)
		link_files(from, b->wide, "labels.safetensors");
	struct atlas *a = atlas_open(from, &e);
	if (!a)
		die(e.msg);
	char *labels = xasprintf("%s/labels.safetensors", b->wide);
	if (wide)
		write_labels(a, labels);
	free(labels);
	b->hook = xstrdup(a->hook);
	atlas_free(a);
	if (b->every && made_up_parts(b->atlas, &e))
		die(e.msg);
}

static void remove_folder(const char *folder)
{
	pid_t pid = fork();
	if (!pid) {
		execlp("rm", "rm", "-rf", "--", folder, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static const char heads[] = "| screen | beside it | keys | frame p50 | p99 | max | own p50 | p99 | max | queue p50 | "
			    "p99 | max | echo p50 | p99 | max | beside | silent |\n"
			    "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

static void every_screen(struct bench *b)
{
	const char *only = getenv("ONLY");
	if (!only)
		opening(b);
	puts(heads);
	for (size_t i = 0; i < ARRAY_LEN(screens); i++)
		if (!only || strstr(screens[i].name, only))
			row(b, b->cold ? COLD : REST, &screens[i]);
	puts("");
}

int main(int argc, char **argv)
{
	struct bench b = {.backend = argc > 3 ? argv[3] : "fake", .n_keys = argc > 4 ? atoi(argv[4]) : 200};
	char folder[] = "/tmp/featlas-bench-XXXXXX";
	if (argc < 3 || b.n_keys < 1 || b.n_keys > MAX_KEYS) {
		fputs("usage: bench_keys FEATLAS ATLAS [BACKEND [KEYS [LOAD, 0 to 3, screens or cold]]]\n", stderr);
		return 2;
	}
	b.program = argv[1];
	b.names_slow = getenv("SLOW_KEYS") != NULL;
	b.folder = mkdtemp(folder);
	if (!b.folder)
		die("no temporary folder");
	signal(SIGPIPE, SIG_IGN);
	b.cold = argc > 5 && !strcmp(argv[5], "cold");
	b.every = b.cold || (argc > 5 && !strcmp(argv[5], "screens"));
	make_atlases(&b, argv[2], !b.every);
	start_echo(&b);
	take(b.echo_fd, ANSWER_MS);
	bool both = b.every && !b.cold;
	if (b.every)
		every_screen(&b);
	b.cold = both;
	if (both)
		every_screen(&b);
	if (!b.every)
		puts(heads);
	int only = argc > 5 ? atoi(argv[5]) : -1;
	for (enum load l = REST; l < N_LOADS && !b.every; l++) {
		if (only >= 0 && only != (int)l)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(scenes); i++)
			row(&b, l, &scenes[i]);
		end(b.harvest);
		b.harvest = 0;
	}
	end(b.echo);
	remove_folder(b.folder);
	free(b.atlas);
	free(b.wide);
	free(b.hook);
	return 0;
}
