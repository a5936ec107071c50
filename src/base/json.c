/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include "base/mem.h"
#include "base/outfile.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 64 << 20 };

json_t *json_parse(const char *s, size_t n, const char *what, struct err *e)
{
	json_error_t je;
	json_t *j = json_loadb(s, n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
	if (!j)
		err_set(e, ERR_DAMAGED, "%s is not valid JSON at byte %d: %s", what, je.position, je.text);
	return j;
}

json_t *json_read_file(const char *path, struct err *e)
{
	json_t *j = NULL;
	char *text = NULL, *what = NULL;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		err_os(e, "cannot open '%s'", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX_BYTES) {
		err_set(e, ERR_DAMAGED, "'%s' is not a file of at most 64 MiB", path);
		goto out;
	}
	size_t size = (size_t)st.st_size, n = 0;
	text = xmalloc(size + 1);
	while (n < size) {
		ssize_t r = read(fd, text + n, size - n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			err_os(e, "cannot read '%s'", path);
			goto out;
		}
		if (r == 0)
			break;
		n += (size_t)r;
	}
	what = xasprintf("'%s'", path);
	j = json_parse(text, n, what, e);
out:
	if (fd >= 0)
		close(fd);
	free(text);
	free(what);
	return j;
}

static int add_chunk(const char *s, size_t n, void *b)
{
	buf_add(b, s, n);
	return 0;
}

int json_write_file(const char *path, const json_t *j, struct err *e)
{
	struct buf b = BUF_INIT;
	json_dump_callback(j, add_chunk, &b, JSON_INDENT(2) | JSON_ENCODE_ANY);
	buf_addc(&b, '\n');
	int r = outfile_write_all(path, b.s, b.n, e);
	buf_release(&b);
	return r;
}

void json_add_line(struct buf *out, const json_t *j)
{
	json_dump_callback(j, add_chunk, out, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
}

int json_get_u64(const json_t *o, const char *key, u64 max, u64 *out, const char *what, struct err *e)
{
	const json_t *v = json_object_get(o, key);
	if (!v)
		return err_set(e, ERR_DAMAGED, "%s: '%s' is missing", what, key);
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return err_set(e, ERR_DAMAGED, "%s: '%s' is not a whole number from 0 on", what, key);
	u64 n = (u64)json_integer_value(v);
	if (n > max)
		return err_set(e, ERR_DAMAGED, "%s: '%s' is %llu, more than %llu", what, key,
			       (unsigned long long)n, (unsigned long long)max);
	*out = n;
	return 0;
}

int json_get_f64(const json_t *o, const char *key, f64 *out, const char *what, struct err *e)
{
	const json_t *v = json_object_get(o, key);
	if (!v)
		return err_set(e, ERR_DAMAGED, "%s: '%s' is missing", what, key);
	if (!json_is_number(v))
		return err_set(e, ERR_DAMAGED, "%s: '%s' is not a number", what, key);
	*out = json_number_value(v);
	return 0;
}

int json_get_str(const json_t *o, const char *key, const char **out, const char *what, struct err *e)
{
	const json_t *v = json_object_get(o, key);
	if (!v)
		return err_set(e, ERR_DAMAGED, "%s: '%s' is missing", what, key);
	if (!json_is_string(v))
		return err_set(e, ERR_DAMAGED, "%s: '%s' is not a string", what, key);
	*out = json_string_value(v);
	return 0;
}

u64 json_opt_u64(const json_t *o, const char *key, u64 def)
{
	const json_t *v = json_object_get(o, key);
	return json_is_integer(v) && json_integer_value(v) >= 0 ? (u64)json_integer_value(v) : def;
}

f64 json_opt_f64(const json_t *o, const char *key, f64 def)
{
	const json_t *v = json_object_get(o, key);
	return json_is_number(v) ? json_number_value(v) : def;
}

bool json_opt_bool(const json_t *o, const char *key, bool def)
{
	const json_t *v = json_object_get(o, key);
	return json_is_boolean(v) ? json_is_true(v) : def;
}

const char *json_opt_str(const json_t *o, const char *key, const char *def)
{
	const json_t *v = json_object_get(o, key);
	return json_is_string(v) ? json_string_value(v) : def;
}

json_t *json_f32(f32 v)
{
	if (!isfinite(v))
		return json_null();
	/* the shortest decimal that reads back as the same float */
	char s[32];
	for (int digits = 6; digits <= 9; digits++) {
		snprintf(s, sizeof s, "%.*g", digits, (double)v);
		if (strtof(s, NULL) == v)
			break;
	}
	return json_real(strtod(s, NULL));
}

json_t *json_text(const char *s, size_t n)
{
	struct buf b = BUF_INIT;
	utf8_add_valid(&b, s, n);
	json_t *j = json_stringn(b.s, b.n);
	buf_release(&b);
	return j;
}
