/* SPDX-License-Identifier: MIT */
/* list_act.h - the moves that all lists answer alike. */
#ifndef FEATLAS_LIST_ACT_H
#define FEATLAS_LIST_ACT_H

#include "ui/list.h"
#include "view/view.h"

/* Does a move (lines, pages, first, last; with counts); false if the action is none. */
bool list_act(struct list *l, enum action a, int count);

#endif
