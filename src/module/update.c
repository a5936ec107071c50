/* SPDX-License-Identifier: MIT */
/* update.c - a running generation is changed: noted by the reader, done between two tokens.
 *
 * The reader's thread checks an update against the request, whose message nobody changes, and
 * notes it under the server's lock.  The main thread does what was noted before each token, so
 * that interventions never change while a hook reads them.
 */
#include "module/calls.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* The generation that runs or waits under this id; under the lock. */
static struct module_request *find_generation(struct server *s, const json_t *id)
{
	struct module_request *all[SERVER_MAX_QUEUE + 1];
	size_t n = 0;
	if (s->current)
		all[n++] = s->current;
	for (struct module_request *r = s->first; r && n < ARRAY_LEN(all); r = r->next)
		all[n++] = r;
	for (size_t i = 0; i < n; i++)
		if (id && json_equal(all[i]->id, id) && !strcmp(all[i]->method, "generate"))
			return all[i];
	return NULL;
}

/* The amount is checked by what the message says of the intervention. */
static int check_amount(const struct module_request *r, const json_t *j, f32 amount, struct err *e)
{
	struct intervention v = {0};
	const char *kind = json_opt_str(j, "kind", ""), *name = json_opt_str(j, "direction", NULL);
	u64 d = r->s->info.d_model;
	while (v.kind < N_INTERVENTION_KINDS && strcmp(intervention_kinds[v.kind], kind))
		v.kind++;
	const struct frame_array *a = name ? frame_need(&r->in, name, DTYPE_F32, 1, &d, e) : NULL;
	if (name && !a)
		return -1;
	v.direction = a ? a->data : NULL;
	return run_check_amount(&v, amount, (u32)d, e);
}

static int read_update(const struct module_request *r, const json_t *params, struct module_update *u, struct err *e)
{
	u64 run, at;
	const json_t *runs = json_object_get(r->params, "runs"), *on = json_object_get(params, "on");
	const json_t *amount = json_object_get(params, "amount");
	size_t n = json_array_size(runs);
	if (json_get_u64(params, "run", n ? n - 1 : 0, &run, "update", e))
		return -1;
	const json_t *list = json_object_get(json_array_get(runs, run), "interventions");
	n = json_array_size(list);
	u->run = run;
	if (!json_object_get(params, "intervention"))
		return on || amount ? err_set(e, ERR_USAGE, "update: 'intervention' is missing") : 0;
	if (json_get_u64(params, "intervention", SIZE_MAX, &at, "update", e))
		return -1;
	if (at >= n)
		return err_set(e, ERR_USAGE, "update: run %llu has %zu interventions, from 0 on", (unsigned long long)run,
			       n);
	if ((on && !json_is_boolean(on)) || (amount && !json_is_number(amount)))
		return err_set(e, ERR_USAGE, "update: 'on' is true or false, 'amount' a number");
	*u = (struct module_update){.run = run, .intervention = at, .has_on = on, .on = json_is_true(on),
				    .has_amount = amount, .amount = (f32)json_number_value(amount)};
	return amount ? check_amount(r, json_array_get(list, at), u->amount, e) : 0;
}

static int note(struct module_request *r, const json_t *params, struct err *e)
{
	struct module_update u = {0};
	const json_t *seen = json_object_get(params, "seen");
	if (read_update(r, params, &u, e))
		return -1;
	if (seen && !json_is_integer(seen))
		return err_set(e, ERR_USAGE, "update: 'seen' is a number of tokens");
	if (u.has_on || u.has_amount) {
		if (r->n_updates == SERVER_MAX_UPDATES)
			return err_set(e, ERR_USAGE, "update: %d wait already", SERVER_MAX_UPDATES);
		r->updates = xreallocarray(r->updates, r->n_updates + 1, sizeof *r->updates);
		r->updates[r->n_updates++] = u;
	}
	if (seen && !r->seen)
		r->seen = xcalloc(json_array_size(json_object_get(r->params, "runs")) + 1, sizeof *r->seen);
	if (seen)
		r->seen[u.run] = MAX(r->seen[u.run], (u64)MAX(json_integer_value(seen), 0));
	return 1;
}

int server_update(struct server *s, const json_t *params, struct err *e)
{
	pthread_mutex_lock(&s->lock);
	struct module_request *r = s->m ? find_generation(s, json_object_get(params, "id")) : NULL;
	int found = r ? note(r, params, e) : 0;
	if (found > 0)
		pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Whether a run that waits for its reader has tokens that were not read yet; under the lock. */
static bool is_ahead(const struct module_request *r)
{
	for (size_t i = 0; i < r->calls->n; i++) {
		const json_t *run = json_array_get(r->runs, i);
		size_t sent = json_array_size(json_object_get(run, "tokens"));
		bool over = sent >= r->n_tokens || !strcmp(json_opt_str(run, "end", ""), "stop");
		if (r->calls->runs[i].paced && !over && sent > (r->seen ? r->seen[i] : 0))
			return true;
	}
	return false;
}

void module_step(struct module_request *r)
{
	struct server *s = r->s;
	pthread_mutex_lock(&s->lock);
	/* after the end of the input nobody can say anything any more */
	while (!module_cancelled(r) && !s->end && is_ahead(r))
		pthread_cond_wait(&s->more, &s->lock);
	struct module_update *list = r->updates;
	size_t n = r->n_updates;
	r->updates = NULL;
	r->n_updates = 0;
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < n; i++) {
		const struct run *run = &r->calls->runs[list[i].run];
		struct intervention *v = &r->calls->lists[run->list - r->calls->lists + (ptrdiff_t)list[i].intervention];
		if (list[i].has_amount)
			v->amount = list[i].amount;
		if (list[i].has_on)
			v->off = !list[i].on;
	}
	free(list);
}
